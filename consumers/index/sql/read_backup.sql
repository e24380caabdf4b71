select position, model_version from read_old.checkpoint
