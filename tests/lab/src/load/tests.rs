//! A load against a small local server.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Class, Load, Mix};

async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1024];
                while let Ok(1..) = stream.read(&mut request).await {
                    let answer = b"HTTP/1.1 200 OK\r\nX-Version: v1.0.0\r\nContent-Length: 2\r\n\r\nok";
                    stream.write_all(answer).await.expect("write");
                    if request.windows(17).any(|window| window == b"Connection: close") {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn every_class_is_answered_and_counted() {
    let mix = Mix::of(vec![
        Class::new_connections(100.0),
        Class::keep_alive(100.0, 4),
        Class::new_connections(20.0).with_rtt(50),
        Class::keep_alive(20.0, 4).with_rtt(50),
    ]);
    let load = Load::start(&format!("http://{}", server().await), mix).expect("start");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(load.progress().requests > 0);
    let report = load.stop().await.expect("report");
    assert_eq!(report.failed, 0, "{report:?}");
    let expected = [("new", 100), ("keep-alive", 100), ("new-50ms", 20), ("keep-alive-50ms", 20)];
    for (name, least) in expected {
        let class = report.class(name).expect(name);
        assert!(class.requests > least && class.requests < least * 2, "{name}: {}", class.requests);
        assert_eq!(class.versions["v1.0.0"].requests, class.requests);
    }
    let far = report.class("keep-alive-50ms").expect("far");
    assert!(far.latency_ms.p50 >= 50.0 && far.latency_ms.p50 < 80.0, "{:?}", far.latency_ms);
    let text = serde_json::to_string(&report).expect("JSON");
    assert_eq!(serde_json::from_str::<super::Report>(&text).expect("back").requests, report.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_ends_by_itself_at_its_bounds() {
    let mut mix = Mix::quick(200.0);
    mix.most = 20;
    let load = Load::start(&format!("http://{}", server().await), mix).expect("start");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(load.stop().await.expect("report").requests, 20);
}

#[test]
fn a_foreign_address_is_refused() {
    Load::start("http://192.0.2.1/", Mix::quick(1.0)).expect_err("refused");
}
