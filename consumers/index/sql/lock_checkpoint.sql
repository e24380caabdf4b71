select position, model_version from checkpoint for update
