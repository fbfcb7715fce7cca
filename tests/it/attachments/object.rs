//! Attachments in an object store: in memory, and in a server that speaks S3.

use super::{
    BYTES_MAX,
    conformance::{conforms, noise},
};
use bytes::Bytes;
use coalmine::io::{attachments::Objects, clock::HostClock};
use coalmine_actors::{
    attachments::{AttachmentError, AttachmentStore, CreateMeta},
    error::FleetError,
};
use object_store::{
    ObjectStore, ObjectStoreExt, aws::AmazonS3Builder, memory::InMemory, path::Path, prefix::PrefixStore,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

fn objects(backend: Arc<dyn ObjectStore>) -> Arc<dyn AttachmentStore> {
    Arc::new(Objects::new(backend, Arc::new(HostClock), BYTES_MAX))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_in_memory_conform() {
    conforms(|| async { objects(Arc::new(InMemory::new())) }).await;
}

/// Bytes that are changed in the bucket are not returned, and the next put heals them.
async fn heals(backend: Arc<dyn ObjectStore>) {
    let store = objects(Arc::clone(&backend));
    let bytes = noise(1, 600_000);
    let id = store.put(bytes.clone(), CreateMeta::default()).await.unwrap().id;
    let place = Path::from(format!("blobs/{id}"));
    let attributes = backend.get(&place).await.unwrap().attributes;
    let mut damaged = bytes.to_vec();
    damaged[300_000] ^= 1;
    let options = object_store::PutOptions { attributes, ..Default::default() };
    backend.put_opts(&place, Bytes::from(damaged).into(), options).await.unwrap();
    let read = store.get(id).await;
    assert!(matches!(read, Err(FleetError::Attachment(AttachmentError::Corrupt { .. }))), "{read:?}");
    store.put(bytes.clone(), CreateMeta::default()).await.unwrap();
    assert_eq!(store.get(id).await.unwrap().1, bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_objects_are_put_aside_and_healed() {
    heals(Arc::new(InMemory::new())).await;
}

/// Start one with `pip install 'moto[server]' && moto_server -p 5555`, then
/// `COALMINE_S3=http://127.0.0.1:5555 cargo test --features object-store --test it attachments::object -- --ignored`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a server that speaks S3: moto_server -p 5555, and COALMINE_S3=http://127.0.0.1:5555"]
async fn a_server_that_speaks_s3_conforms() {
    let server = std::env::var("COALMINE_S3").expect("COALMINE_S3 names the server");
    let bucket = format!("coalmine-{}", std::process::id());
    let made = std::process::Command::new("curl").args(["-fsS", "-X", "PUT", &format!("{server}/{bucket}")]).status();
    assert!(made.unwrap().success(), "the bucket can not be made");
    let backend: Arc<dyn ObjectStore> = Arc::new(
        AmazonS3Builder::new()
            .with_endpoint(server)
            .with_bucket_name(bucket)
            .with_region("us-east-1")
            .with_access_key_id("test")
            .with_secret_access_key("test")
            .with_allow_http(true)
            .build()
            .unwrap(),
    );
    let last = AtomicUsize::new(0);
    conforms(|| async {
        let prefix = last.fetch_add(1, Ordering::Relaxed).to_string();
        objects(Arc::new(PrefixStore::new(Arc::clone(&backend), prefix)))
    })
    .await;
    heals(backend).await;
}
