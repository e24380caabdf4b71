#![doc = include_str!("../README.md")]

pub mod bench;
pub mod bucket;
pub mod client;
pub mod command;
pub mod consumers;
pub mod daemons;
pub mod dead;
pub mod demo;
pub mod export;
pub mod gallery_server;
pub mod home;
pub mod import;
pub mod installation;
pub mod jobs;
pub mod recut;
pub mod render;
pub mod replay;
pub mod restore;
pub mod site;
pub mod sweep;
mod table;
pub mod tail;
pub mod theme;
pub mod up;
pub mod verify;
pub mod why;
