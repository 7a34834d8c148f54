//! The commands and the API from outside.

mod api_socket;
mod check;
mod commands;
mod links;
