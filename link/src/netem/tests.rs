mod files;
mod model;
mod sockets;
