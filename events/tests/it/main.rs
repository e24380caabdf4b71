//! What the log, the bus and the jobs promise, on the real Postgres and the real RabbitMQ.

mod bus;
mod connections;
mod content;
mod eventually;
mod folds;
mod found;
mod hints;
mod integrity;
mod jobs;
mod leadership;
mod line;
mod migrations;
mod operations;
mod order;
mod proposals;
mod refusals;
mod roles;
mod settings;
mod signed;
mod simulation;
