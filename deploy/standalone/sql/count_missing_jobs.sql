-- How many of $1 jobs are not completed yet.
select $1 - count(*) from jobs where state = 'completed'
