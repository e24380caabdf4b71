insert into checkpoint (model_version) values ($1)
