//! Requests that the server rejects: its message, and the remedy.

use super::*;

async fn refusal(db: &Arc<dyn NorthboundDb>) -> String {
    db.transact(vec![lport("p", "b")]).await.unwrap_err().to_string()
}

#[tokio::test]
async fn each_rejection_has_the_servers_message_and_the_remedy() {
    let server = Server::start();
    let db = open(&server.url()).await;
    db.transact(vec![lport("p", "a")]).await.unwrap();

    server.does::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = refusal(&db).await;
    assert!(error.contains("maxmemory") && error.contains("raise maxmemory, or delete keys"), "{error}");
    assert_eq!(db.snapshot().await.unwrap().records.len(), 1, "it is read as before");
    server.does::<()>(&["CONFIG", "SET", "maxmemory", "0"]);

    server.does::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let error = refusal(&db).await;
    assert!(error.contains("lower min-replicas-to-write"), "{error}");
    server.does::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]);

    // A replica without a reachable master.
    server.does::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = refusal(&db).await;
    assert!(error.contains("give the address of its master"), "{error}");
    server.does::<()>(&["REPLICAOF", "NO", "ONE"]);
    db.transact(vec![lport("p", "b")]).await.unwrap();
}
