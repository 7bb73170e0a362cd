-- Inserts, an index, a join, aggregates.
create table t(id integer primary key, k integer, name text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
insert into t select i, (i * 7919) % 1013, printf('name %d', i * 31 % 5003) from n;
create index t_k on t(k);
select count(*), sum(a.id + b.id) from t a join t b on a.k = b.k and a.id < b.id where a.k < 120;
select name, count(*) c from t group by name order by c desc, name limit 3;
select sum(length(name)) from t where name like '%99%';
