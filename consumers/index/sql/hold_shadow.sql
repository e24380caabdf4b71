-- Until the transaction ends, nobody else goes on with it.
select true from shadow where fence = $1 for share
