-- What is read in it is one state of the database, however long it takes.
begin isolation level repeatable read
