//! Programs that answer: each request is an effect of its own.

use super::*;
use crate::io::{held, life_mark};

/// Any port, and the program `answer`, which is the script `DIR/answer`.
const PROGRAM: &str = r#"
    [allow]
    effects = ["net.listen", "proc"]
    [scope]
    net = "any"
    [program.answer]
    path = "DIR/answer"
    timeout = "20s"
"#;

async fn town(policy: &str, script: &str) -> (Town, Site) {
    let town = Town::new(policy).await;
    town.script("answer", script);
    let site = town.serving(Op::NetServe, json!({ "program": "answer" })).await;
    (town, site)
}

/// A script that answers with the text that it is given.
fn saying(answer: &str) -> String {
    format!("#!/bin/sh\ncat > /dev/null\nprintf '%s' '{answer}'\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_reads_the_request_and_what_it_prints_is_the_answer() {
    let script = "#!/bin/sh\nread -r asked\n\
        case $asked in *'\"path\":\"/order\"'*'\"body\":\"tea\"'*) status=201;; *) status=404;; esac\n\
        printf '{\"status\": %s, \"headers\": [[\"x-made\", \"yes\"]], \"body\": \"done\"}' $status\n";
    let (town, site) = town(PROGRAM, script).await;
    let reply = site.ask("POST", "/order", b"tea");
    assert_eq!((reply.status, reply.text()), (201, "done"));
    assert!(reply.head.contains("x-made: yes"), "{}", reply.head);
    assert_eq!(site.ask("POST", "/order", b"coffee").status, 404);
    // Each of them was decided, and ended, by itself.
    let lines = town.audited("process.run");
    let said: Vec<_> = lines.iter().map(|line| (line["ev"].as_str().unwrap(), line["outcome"].as_str())).collect();
    assert_eq!(said, [("decision", None), ("outcome", Some("ok")), ("decision", None), ("outcome", Some("ok"))]);
    assert!(lines.iter().all(|line| line["session"] == site.session.id() && line["resource"] == "answer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_larger_than_a_pipe_reaches_the_program_and_one_that_does_not_read_still_answers() {
    let body = vec![b'x'; 1024 * 1024];
    let (_town, site) = town(PROGRAM, "#!/bin/sh\nprintf '{\"body\": \"%s\"}' $(wc -c)\n").await;
    assert!(site.ask("POST", "/", &body).text().parse::<usize>().unwrap() > body.len());
    let (_town, site) = town(PROGRAM, "#!/bin/sh\nprintf '{\"body\": \"deaf\"}'\n").await;
    assert_eq!(site.ask("POST", "/", &body).text(), "deaf");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_answer_well_is_a_failure_with_a_number() {
    for (script, why) in [
        (saying("nonsense"), "no JSON"),
        (saying(""), "no JSON"),
        (saying(r#"{"status": 101}"#), "status"),
        (saying(r#"{"headers": [["content-length", "1"]]}"#), "server's own"),
        ("#!/bin/sh\nprintf '\\377'\n".into(), "not UTF-8"),
        (
            "#!/bin/sh\necho the last words >&2\nexit 3\n".into(),
            "status 3, signal null, cut short false: the last words",
        ),
        ("#!/bin/sh\nkill -KILL $$\n".into(), "\"KILL\""),
        ("no program at all".into(), "can not be executed"),
    ] {
        let (town, site) = town(PROGRAM, &script).await;
        let id = site.ask("GET", "/", b"").failure();
        let log = town.log_with(&id).await;
        assert!(log.contains(why), "{script:?}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_hangs_is_ended_at_its_deadline_and_nothing_is_left() {
    let (town, site) = town(&PROGRAM.replace("20s", "300ms"), "#!/bin/sh\nsleep 1000 &\nsleep 1000\n").await;
    let id = site.ask("GET", "/", b"").failure();
    assert!(town.log_with(&id).await.contains("timed out (run)"));
    nothing_runs(&town).await;
    assert_eq!(town.audited("process.run").last().unwrap()["outcome"], "timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_calls_off_what_was_to_answer() {
    let (town, site) = town(PROGRAM, "#!/bin/sh\nsleep 1000\n").await;
    let mut stream = site.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("it runs", || (running(&town) > 0).then_some(())).await;
    drop(stream);
    nothing_runs(&town).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn served_requests_use_the_peers_budget_and_its_policy_of_the_moment() {
    let (town, site) = town(&format!("{PROGRAM}\n[budget]\ncalls = 4"), &saying("{}")).await;
    // Listening was one call, and asking where another.
    assert_eq!((site.ask("GET", "/", b"").status, site.ask("GET", "/", b"").status), (200, 200));
    let id = site.ask("GET", "/", b"").failure();
    assert!(town.log_with(&id).await.contains("over the budget"));
    let dir = town.dir.path().to_str().unwrap();
    town.policy.set(&PROGRAM.replace("DIR", dir).replace("\"net.listen\", \"proc\"", "\"net.listen\""));
    until("the policy changes", || (site.session.policy().budget.calls.is_none()).then_some(())).await;
    let id = site.ask("GET", "/", b"").failure();
    assert!(town.log_with(&id).await.contains("denied by the policy"));
    assert_eq!(town.audited("process.run").last().unwrap()["verdict"], "denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sessions_end_ends_the_program_that_answers() {
    let (town, site) = town(PROGRAM, "#!/bin/sh\nsleep 1000\n").await;
    let mut stream = site.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("it runs", || (running(&town) > 0).then_some(())).await;
    site.session.end();
    rest(&mut stream);
    nothing_runs(&town).await;
}

/// Processes that bear a mark of this fleet.
fn running(town: &Town) -> usize {
    let (prefix, mut buffer) = (format!("{}-", town.mark), Vec::new());
    held::find(|pid| life_mark::begins(pid, &prefix, &mut buffer)).len()
}

async fn nothing_runs(town: &Town) {
    until("nothing is left", || (running(town) == 0).then_some(())).await;
}
