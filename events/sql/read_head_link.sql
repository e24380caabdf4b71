select position, link from log_head
