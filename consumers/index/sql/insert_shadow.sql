insert into shadow (definition, up_to, fence) values ($1, $2, $3)
