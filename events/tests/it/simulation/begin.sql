-- Jobs are derived: the schedule before leaves nothing behind but its events.
delete from jobs;
delete from dead_letters;
delete from pauses;
delete from leaders;
update checkpoints set position = (select position from log_head) where name = 'relay'
