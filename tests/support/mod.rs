//! The lab of the tests: namespaces for machines, veths for cables, tcpdump for eyes, real servers for the cloud.

pub mod bpffs;
pub mod churn;
pub mod churn_site;
pub mod cloud;
pub mod command;
pub mod daemon;
pub mod etcd;
pub mod frame;
pub mod lab;
pub mod large;
pub mod netns;
pub mod noise;
pub mod process;
pub mod records;
pub mod resources;
pub mod root;
pub mod stream;
pub mod tap;
pub mod wait;
pub mod window;
pub mod wire;
