//! Gets beside `cat`.

use super::{
    hand::{hashed, noise, shop},
    support::{Outcome, Reach, Row, Samples, ms},
};
use coalmine_actors::attachments::{AttachmentStore, CreateMeta};
use std::{
    path::Path,
    process::{Command, Stdio},
};
use tokio::time::Instant;

pub(super) async fn large(root: &Path, mib: usize, rounds: usize) -> Outcome<Vec<Row>> {
    let (folder, store) = shop(root, "reads").await?;
    let bytes = noise(11, mib * 1024 * 1024);
    let id = store.put(bytes.clone(), CreateMeta::default()).await?.id;
    let name = id.to_string();
    let file = folder.join("attachments/blobs").join(&name[..2]).join(&name);
    let (mut ours, mut cat, mut hash, mut ratio) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default());
    for _ in 0..rounds * 4 {
        let before = Instant::now();
        let mut reading = store.open(id, None).await?;
        let mut came = 0;
        while let Some(chunk) = reading.next().await {
            came += chunk?.len();
        }
        let took = ms(before.elapsed());
        if came != bytes.len() {
            return Err("bytes are missing".into());
        }
        let before = Instant::now();
        let mut copied = Command::new("sh");
        copied.args(["-c", "cat \"$0\" | cat > /dev/null"]).arg(&file).stdin(Stdio::null());
        if !copied.status()?.success() {
            return Err("cat failed".into());
        }
        let by_cat = ms(before.elapsed());
        ours.push(took);
        cat.push(by_cat);
        hash.push(ms(hashed(&bytes)));
        ratio.push(by_cat / took);
    }
    Ok(vec![
        Row::new("a get, every byte verified", "ms", &ours),
        Row::new("baseline: cat FILE | cat > /dev/null", "ms", &cat),
        Row::new("baseline: SHA-256 of the same bytes", "ms", &hash),
        Row::new("of cat's speed", "×", &ratio).reach(Reach::below("0.8 / ratio", 0.8 / ratio.p50(), 1.0, "")),
        Row::one("of SHA-256's speed", "×", hash.p50() / ours.p50()),
    ])
}
