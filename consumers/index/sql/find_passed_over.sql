select distinct type from vocabulary where passed_over is not null and type = any ($1) and schema <= $2 order by type
