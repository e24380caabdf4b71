select model_version from read.checkpoint
