//! A server in the language of every machine's shell: a tool for each thing that servers do, and some that they should not.

/// The script. Its first argument is how it begins: `banner`, `die`, `mute`, `wrong`, `talk`, or nothing of note.
pub(super) const TEXT: &str = r#"
reply() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
say() { reply "$id" "{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}]}"; }
calls=0
tools='who plain fail raise stderr ask flood silent hang wrong huge babble die orphan stubborn pester cancelled limits'
case $1 in
    banner) echo 'Welcome to this server!'; echo '{"not":"a message"}'; echo; echo '[1, 2' ;;
    die) echo 'no key is configured' >&2; exit 3 ;;
esac
while IFS= read -r line; do
    rest=${line#*\"id\":}; id=${rest%%[,\}]*}
    case $line in
    *'"method":"initialize"'*)
        test "$1" = mute && continue
        test "$1" = wrong && id=999
        test "$1" = talk && printf '{"jsonrpc":"2.0","id":%s,"method":"ping"}\n' "$id" && read -r pong && echo "$pong" >&2
        reply "$id" '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"it","version":"1"}}' ;;
    *'"method":"tools/list"'*)
        list=; for tool in $tools; do list="$list${list:+,}{\"name\":\"$tool\",\"inputSchema\":{\"type\":\"object\"}}"; done
        reply "$id" "{\"tools\":[$list]}" ;;
    *'"method":"ping"'*) reply "$id" '{}' ;;
    *'"method":"notifications/cancelled"'*) rest=${line#*\"requestId\":}; was_cancelled=${rest%%[,\}]*} ;;
    *'"method":"tools/call"'*)
        calls=$((calls + 1)); tool=${line#*\"name\":\"}; tool=${tool%%\"*}
        case $tool in
        who) reply "$id" "{\"content\":[],\"structuredContent\":{\"pid\":$$,\"calls\":$calls}}" ;;
        plain) say plain ;;
        fail) reply "$id" '{"content":[{"type":"text","text":"it broke"}],"isError":true}' ;;
        raise) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"q is missing"}}\n' "$id" ;;
        stderr) head -c 10485760 /dev/zero | tr '\0' x >&2; echo 'the last word' >&2; say done ;;
        ask)
            printf '{"jsonrpc":"2.0","id":%s,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}\n' "$id"
            printf '{"jsonrpc":"2.0","id":%s,"method":"no/such","params":{}}\n' "$id"
            read -r one; read -r two
            case $one$two in *-32601*-32601*) say refused ;; *) say "taken" ;; esac ;;
        flood) yes '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}' | head -n 5000; say done ;;
        silent) ;;
        hang) sleep 1000 ;;
        wrong) reply 999 '{"content":[]}'; reply '"x"' '{"content":[]}' ;;
        huge) printf '{"jsonrpc":"2.0","id":%s,"result":"' "$id"; head -c 17000000 /dev/zero | tr '\0' x; echo '"}' ;;
        babble) yes 'no message at all' ;;
        die) exit 3 ;;
        orphan) setsid sleep 1000 & say done ;;
        stubborn) trap '' TERM; say done ;;
        pester) yes "{\"jsonrpc\":\"2.0\",\"id\":$id,\"method\":\"ping\"}" ;;
        cancelled) say "${was_cancelled:-none}" ;;
        limits) say "$(pwd) $(cat /etc/shadow 2>/dev/null | wc -c) $(ls /proc/self/fd | wc -l)" ;;
        esac ;;
    esac
done
test "$tool" = stubborn && while :; do sleep 1000; done
"#;
