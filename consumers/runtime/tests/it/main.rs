//! What the runtime promises to any consumer, over both buses, on the real Postgres and the real RabbitMQ.

mod attempts;
mod daemon;
mod delivery;
mod lag;
mod leases;
mod newer;
mod outages;
mod projections;
mod retries;
mod scripted;
mod shutdown;
mod stage;
mod traces;
