"""What `axiom-trio run --help` prints."""

from __future__ import annotations

RUN_HELP = """\
usage: axiom-trio run [options] COMMAND...
       axiom-trio run [options] 'COMMAND {}' ::: ARGUMENT...
       axiom-trio run [options] -f FILE

Run commands at once and show their output as one live stream: whole lines, in
order, each behind the name of its command. A COMMAND is one shell command
line: quote it. With :::, it runs once for each ARGUMENT, which replaces {} or
is appended. With neither COMMAND nor FILE, the tasks in ./axiom.toml run.

what to run
  -f, --file FILE            *.toml, Procfile*, else a command a line; -: stdin
  --resume DIR               what had not succeeded in the journal there
  -n, --names A,B,...        names; default: the program's, or the ARGUMENT
  -j, --jobs N               at most N at once, the rest wait
  --pty, --pipe              what children write to; default: a PTY when stdout
                             is a terminal
  --stdin null|pipe          what children on pipes read (null)
  --stderr join|split        one pipe for both, in order, or two (join)
  -i, --interactive          write to them: type name:text at a terminal, or
                             give such lines on stdin; those on pipes get an
                             input. By default on at a terminal
  --no-interactive           leave the keyboard alone

when to stop, and to start again
  --halt WHEN,WHAT=N         WHEN: soon (start no more), now (stop the others,
                             too); WHAT: fail, success, done; N: 2 or 20%
  -k, --kill-others          stop the others when one has ended: now,done=1
  --kill-others-on-fail      stop the others when one has failed: now,fail=1
  -s, --success WHO          who must succeed: all, any, first, last or a name
  --retries N                start one that failed again, up to N times (0)
  --restart-after DURATION   wait before, or exponential: 1, 2, 4 ... 60s (0)
  --restart-window DURATION  N restarts within that time, not in all
  --timeout DURATION         stop an attempt that takes longer: it has failed
  --idle-warn DURATION       tell of a child silent for so long; 0: never (30s)
  --idle-timeout DURATION    stop a child silent for so long: it has failed
  --grace DURATION           between asking a child to end and killing it (5s)
  --allow-daemons            keep processes that left their child's group

what to write into them
  --on 'REGEX => TEXT'       when output or a prompt matches; TEXT may be keys,
                             such as 1<Enter>; may be given again
  --rules FILE               TOML with [[rules]], as axiom.toml may have them
  --rule-set A,B,...         built in: planning, todo, progress-check, and what
                             claude, codex, gemini, aider ask to be confirmed

who may look on from a browser
  --listen [HOST:]PORT       a page and a WebSocket, whose URLs are shown on
                             stderr; 0: any free port (HOST: 127.0.0.1)
  --allow-host HOST[:PORT]   another name by which it is asked for, such as a
                             forwarded port's; may be given again
  --listen-anywhere          HOST may be reached from other machines; nothing
                             is encrypted

what is shown
  -p, --prefix TEMPLATE      '[{name}]'; fields: name id index pid time
  -l, --prefix-length N      cut names to N characters, in the middle
  --pad                      align the lines behind their prefixes
  -T, --timestamps           UTC time first (also if DEBUG is set)
  --color auto|always|never  also by NO_COLOR, FORCE_COLOR, TERM (auto)
  --output FORM              lines, grouped by command, raw (without prefix),
                             jsonl (events), none (lines)
  --escapes color|none|raw   which of the children's control sequences to show;
                             default: color on a terminal, else raw
  --include REGEX            only lines in which it is found; interventions too
  --exclude REGEX            no lines in which it is found
  --highlight REGEX          mark what it matches, where there is colour
  --progress auto|always|never
                             a live footer below the lines on a terminal;
                             always: at once, and with -q (auto)
  --timings                  a line per child at the end, as on a terminal
  -q, --quiet                nothing of our own on stderr but errors
  --summary FILE             write a summary in JSON at the end
  --joblog FILE              a line per ended child, as GNU parallel writes it
  --files DIR                each child's output in a file of its own
  --mask-env A,B,...         show *** for the values of these variables
  --mask-file FILE           and for the secrets in FILE, one a line
  --journal DIR              write all to disk, whole, before it is shown
  --pace console|journal     whom the children wait for; with a journal: for
                             it alone, what is shown follows it from disk
  --fsync never|interval|always
                             after a power loss, at most 500 ms are missing
                             (interval)
  --journal-size BYTES       keep no more than the newest BYTES of it
  --stats-interval DURATION  between statistics events; 0: none (5s)
  --buffer-size BYTES        how far output may run ahead of its reader
  --flush-interval DURATION  collect output that long before a write (0)

  -h, --help                 this text
  --                         only COMMANDs follow

A DURATION is 500ms, 10s, 5m, 2h or plain seconds; BYTES may be 64k or 1M.
Exit status: 0; 1 a child failed; 2 usage; 3 output was lost; 128 + signal.

examples
  axiom-trio run 'npm run dev' 'cargo watch' 'pytest -q'
  axiom-trio run -n api,web './api --port 8080' 'npm start'
  axiom-trio run -j 4 'ping -c 3 {}' ::: one.example two.example
  axiom-trio run --output jsonl -f Procfile | jq .type"""
