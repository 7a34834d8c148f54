//! A CA, a certificate for the servers on loopback, one for a client, and a CA that signed neither.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Paths of PEM files.
pub struct Certificates {
    pub ca: PathBuf,
    pub other_ca: PathBuf,
    pub server_cert: PathBuf,
    pub server_key: PathBuf,
    pub client_cert: PathBuf,
    pub client_key: PathBuf,
}

type Signer = Issuer<'static, KeyPair>;

fn authority(path: &Path) -> Signer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    // Two CAs with the same name would look like one with an invalid signature.
    params.distinguished_name.push(DnType::CommonName, path.display().to_string());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    std::fs::write(path, params.self_signed(&key).unwrap().pem()).unwrap();
    Issuer::new(params, key)
}

fn signed(signer: &Signer, cert: &Path, key_file: &Path) {
    // The names are those of a server; names of a client are not checked.
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    std::fs::write(cert, params.signed_by(&key, signer).unwrap().pem()).unwrap();
    std::fs::write(key_file, key.serialize_pem()).unwrap();
}

impl Certificates {
    pub fn make(folder: &Path) -> Self {
        let at = |name: &str| folder.join(name);
        let files = Self {
            ca: at("ca.pem"),
            other_ca: at("other-ca.pem"),
            server_cert: at("server.pem"),
            server_key: at("server.key"),
            client_cert: at("client.pem"),
            client_key: at("client.key"),
        };
        let signer = authority(&files.ca);
        authority(&files.other_ca);
        signed(&signer, &files.server_cert, &files.server_key);
        signed(&signer, &files.client_cert, &files.client_key);
        files
    }
}
