select c.consumer, count(p.id) as messages
from unnest($1::text[]) as c(consumer)
left join poison_messages p on p.consumer = c.consumer
group by c.consumer
order by c.consumer
