// SPDX-License-Identifier: MIT

//! A client of HTTP/3 by quinn and h3 for tests/interop/run.py: main CASE PORT [HOST]. It
//! exits with 0 if all is as expected, 77 if quinn cannot do that, and otherwise 1.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use h3::client::SendRequest;
use h3_quinn::OpenStreams;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const LARGE: usize = 3_000_000;

/// Accepts any certificate.
#[derive(Debug)]
struct Trusting(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| i as u8).collect()
}

fn tls(only_chacha: bool) -> Result<rustls::ClientConfig> {
    let mut provider = rustls::crypto::ring::default_provider();
    if only_chacha {
        // QUIC needs AES-128 for its first packets.
        provider.cipher_suites.retain(|x| {
            let name = format!("{:?}", x.suite());
            name.contains("CHACHA20") || name == "TLS13_AES_128_GCM_SHA256"
        });
        provider
            .cipher_suites
            .sort_by_key(|x| !format!("{:?}", x.suite()).contains("CHACHA20"));
    }
    let provider = Arc::new(provider);
    let mut tls = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    tls.enable_early_data = true;
    Ok(tls)
}

struct Client {
    endpoint: quinn::Endpoint,
    place: SocketAddr,
}

/// A connection of HTTP/3, whose driver runs in a task.
struct Session {
    quic: quinn::Connection,
    h3: SendRequest<OpenStreams, Bytes>,
}

impl Client {
    fn new(place: SocketAddr, only_chacha: bool) -> Result<Client> {
        let any: SocketAddr = if place.is_ipv6() {
            "[::]:0"
        } else {
            "0.0.0.0:0"
        }
        .parse()?;
        let mut endpoint = quinn::Endpoint::client(any)?;
        let crypto = QuicClientConfig::try_from(tls(only_chacha)?)?;
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
        Ok(Client { endpoint, place })
    }

    async fn open(&self) -> Result<Session> {
        let quic = self.endpoint.connect(self.place, "localhost")?.await?;
        Session::new(quic).await
    }
}

impl Session {
    async fn new(quic: quinn::Connection) -> Result<Session> {
        let (mut driver, h3) = h3::client::new(h3_quinn::Connection::new(quic.clone())).await?;
        tokio::spawn(async move { std::future::poll_fn(|cx| driver.poll_close(cx)).await });
        Ok(Session { quic, h3 })
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>> {
        let mut h3 = self.h3.clone();
        let uri = format!("https://localhost{path}");
        let req = http::Request::builder().method(method).uri(uri).body(())?;
        let mut stream = h3.send_request(req).await?;
        if let Some(body) = body {
            stream.send_data(Bytes::from(body)).await?;
        }
        stream.finish().await?;
        let res = stream.recv_response().await?;
        let mut got = Vec::new();
        while let Some(mut chunk) = stream.recv_data().await? {
            while chunk.has_remaining() {
                let n = chunk.chunk().len();
                got.extend_from_slice(chunk.chunk());
                chunk.advance(n);
            }
        }
        if res.status() != 200 {
            return Err(format!("status {}", res.status()).into());
        }
        Ok(got)
    }

    async fn get(&self, n: usize) -> Result<()> {
        let got = self.ask("GET", &format!("/bytes/{n}"), None).await?;
        if got != pattern(n) {
            return Err(format!("{} bytes of {n}", got.len()).into());
        }
        Ok(())
    }

    async fn transfer(&self) -> Result<()> {
        self.get(LARGE).await?;
        let sent = pattern(LARGE / 3);
        if self.ask("POST", "/echo", Some(sent.clone())).await? != sent {
            return Err("the body has changed".into());
        }
        Ok(())
    }

    fn close(&self) {
        self.quic.close(0x100u32.into(), b"");
    }
}

async fn multiplexing(session: &Session) -> Result<()> {
    let all = (0..200).map(|i| session.get(1000 + i));
    for result in futures_of(all).await {
        result?;
    }
    Ok(())
}

/// Runs futures at once; returns their results.
async fn futures_of<F: std::future::Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut results = Vec::new();
    std::future::poll_fn(|cx| {
        let mut i = 0;
        while i < all.len() {
            match all[i].as_mut().poll(cx) {
                std::task::Poll::Ready(x) => {
                    results.push(x);
                    drop(all.remove(i));
                }
                std::task::Poll::Pending => i += 1,
            }
        }
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    results
}

/// Uses the session of a first connection for early data on a second one.
async fn early(client: &Client) -> Result<()> {
    let first = client.open().await?;
    first.get(100).await?;
    tokio::time::sleep(Duration::from_millis(200)).await; // for the ticket
    first.close();
    let connecting = client.endpoint.connect(client.place, "localhost")?;
    let (quic, accepted) = match connecting.into_0rtt() {
        Ok(x) => x,
        Err(_) => return Err("no ticket for early data".into()),
    };
    let second = Session::new(quic).await?;
    let got = second.ask("GET", "/early", None).await?;
    if !accepted.await || got != b"1" {
        return Err(format!("early-data: {}", String::from_utf8_lossy(&got)).into());
    }
    second.close();
    Ok(())
}

async fn key_update(session: &Session) -> Result<()> {
    for _ in 0..3 {
        session.get(10_000).await?;
        session.quic.force_key_update();
    }
    session.transfer().await
}

async fn migration(client: &Client, session: &Session) -> Result<()> {
    for _ in 0..5 {
        client
            .endpoint
            .rebind(std::net::UdpSocket::bind("0.0.0.0:0")?)?;
        session.get(100_000).await?;
    }
    Ok(())
}

async fn run(case: &str, place: SocketAddr) -> Result<()> {
    let client = Client::new(place, case == "chacha20")?;
    if case == "zerortt" {
        return early(&client).await;
    }
    let session = client.open().await?;
    match case {
        "handshake" | "chacha20" => session.get(100).await?,
        "transfer" => session.transfer().await?,
        "multiplexing" => multiplexing(&session).await?,
        "keyupdate" => key_update(&session).await?,
        "migration" => migration(&client, &session).await?,
        _ => std::process::exit(77),
    }
    session.close();
    client.endpoint.wait_idle().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let host = args.get(3).map_or("127.0.0.1", String::as_str);
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_string()
    };
    let place = format!("{host}:{}", args[2]).parse().expect("a port");
    if let Err(error) = run(&args[1], place).await {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
