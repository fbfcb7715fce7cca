//! Layers and errors of the config: rows are claims.

use super::*;
use std::collections::BTreeMap;

fn load_text(text: &str, env: &[(&str, &str)], flags: Overrides) -> Result<Config, FleetError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let env: BTreeMap<_, _> = env.iter().copied().collect();
    load(&path, &|name| env.get(name).map(|value| (*value).to_owned()), &flags)
}

fn why(text: &str) -> String {
    load_text(text, &[], Overrides::default()).unwrap_err().to_string()
}

#[test]
fn a_missing_file_is_the_defaults() {
    let config = load(Path::new("/nonexistent/config.toml"), &|_| None, &Overrides::default()).unwrap();
    assert_eq!(config.restart, RestartPolicy::OnFailure);
    assert_eq!(config.limit, RestartLimit::default());
    assert_eq!((config.parallel, config.runtimes), (8, crate::runtimes::built_in()));
}

#[test]
fn flags_lie_over_environment_over_file_over_defaults() {
    let text = "[restart]\npolicy = \"never\"\ndeaths_max = 7\nwindow = \"60s\"";
    let env = [
        ("COALMINE_RESTART_POLICY", "always"),
        ("COALMINE_RESTART_DEATHS_MAX", "8"),
        ("COALMINE_RESTART_DELAY_FIRST", "2s"),
        ("COALMINE_RESTART_PARALLEL", "3"),
    ];
    let flags = Overrides { deaths_max: Some(9), ..Overrides::default() };
    let file = load_text(text, &[], Overrides::default()).unwrap();
    assert_eq!((file.restart, file.limit.deaths_max, file.limit.window_ms), (RestartPolicy::Never, 7, 60_000));
    let all = load_text(text, &env, flags).unwrap();
    assert_eq!((all.restart, all.limit.deaths_max, all.limit.window_ms), (RestartPolicy::Always, 9, 60_000));
    assert_eq!((all.limit.delay_first_ms, all.limit.delay_max_ms, all.parallel), (2_000, 60_000, 3));
}

#[test]
fn a_runtime_of_the_file_changes_the_built_in_or_adds_one() {
    let text = "[runtime.claude]\nargv = [\"claude\", \"--model\", \"opus\"]\n\
                [runtime.python]\nkind = \"program\"\nargv = [\"python3\"]\nreadiness = { screen = \">>> \" }\n\
                boot_deadline = \"90s\"\n[runtime.python.stop]\nsignal = \"SIGTERM\"\ngrace = \"2s\"";
    let runtimes = load_text(text, &[], Overrides::default()).unwrap().runtimes;
    let claude = &runtimes[&"claude".parse().unwrap()];
    assert_eq!(claude.argv, ["claude", "--model", "opus"]);
    assert_eq!(claude.resume_args, ["--continue"]);
    assert_eq!(runtimes[&"python".parse().unwrap()].boot_deadline().as_secs(), 90);
}

#[test]
fn an_error_says_where_and_what() {
    for (text, says) in [
        ("[restart]\n\npolcy = \"never\"", "line 3: unknown key \"polcy\"; did you mean \"policy\"?"),
        ("[restrat]\n", "line 1: unknown key \"restrat\"; did you mean \"restart\"?"),
        ("[restart]\nzzzzzzzz = 1", "line 2: unknown key \"zzzzzzzz\""),
        ("[runtime.claude.stop]\ngrase = \"1s\"", "line 2: unknown key \"grase\"; did you mean \"grace\"?"),
        ("[restart]\npolicy = \"sometimes\"", "line 2: unknown variant `sometimes`"),
        ("[restart]\nwindow = \"soon\"", "line 2: "),
        ("[restart]\nwindow = \"0s\"", "must be over 0"),
        ("[restart]\ndeaths_max = 1001", "1000 are the limit"),
        ("[restart]\ndelay_first = \"-1s\"", "restart.delay_first is"),
        ("[restart]\nparallel = 0", "restart.parallel is 0; it must be 1 to 100"),
        ("[runtime.claude]\nidle_after = \"-1s\"", "runtime.claude.idle_after must be"),
        ("[restart\n", "line 1: "),
        ("[runtime.Bad]\nkind = \"agent\"", "does not start with a lower-case letter"),
        ("[runtime.mine]\nargv = [\"x\"]", "runtime.mine: `kind` is missing"),
        (
            "[runtime.claude]\nreadiness = { screen = \"(\" }",
            "runtime.claude.readiness.screen: not a regular expression",
        ),
        ("[runtime.shell]\nboot_deadline = \"2h\"", "runtime.shell.boot_deadline must be"),
        ("[runtime.shell.stop]\nsignal = \"SIGNOPE\"", "runtime.shell.stop.signal is \"SIGNOPE\""),
        ("[env]\npass = [\"A=B\"]", "env.pass: \"A=B\" is not"),
    ] {
        let why = why(text);
        assert!(why.contains(says), "{text:?}\n gave {why:?}\nnot {says:?}");
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let error = load_text("", &[("COALMINE_RESTART_WINDOW", "soon")], Overrides::default()).unwrap_err();
    assert!(error.to_string().contains("COALMINE_RESTART_WINDOW=\"soon\""), "{error}");
}

#[test]
fn providers_are_run_as_the_file_says_and_get_nothing_of_the_fleets_own() {
    let file = load_text(
        "[provision]\ntimeout = \"5s\"\nidle = \"1s\"\nparallel = 2\nenv = [\"PATH\", \"KEY\"]",
        &[],
        Overrides::default(),
    );
    let provision = file.unwrap().provision;
    assert_eq!((provision.rules.parallel, provision.rules.deadlines.total.as_secs()), (2, 5));
    assert_eq!(provision.rules.deadlines.idle.unwrap().as_secs(), 1);
    assert_eq!(provision.env, ["PATH", "KEY"]);
    for (text, says) in [
        ("timeout = \"0s\"", "provision.timeout must be 10ms to 1h"),
        ("idle = \"2h\"", "provision.idle must be 10ms to 1h"),
        ("parallel = 0", "provision.parallel is 0; it must be 1 to 64"),
        ("env = [\"A B\"]", "provision.env: \"A B\" is not a variable's name"),
        ("env = [\"PEER_TOKEN\"]", "provision.env: PEER_TOKEN is the fleet's own, and no provider gets it"),
    ] {
        let why = why(&format!("[provision]\n{text}"));
        assert!(why.contains(says), "{text}: {why}");
    }
}
