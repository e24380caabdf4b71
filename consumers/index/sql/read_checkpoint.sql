select position from read.checkpoint
