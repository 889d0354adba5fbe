/* run.c - runs one command as an operation and turns its end into an exit code.
 * Ctrl-C asks the operation to stop and ends the program within a tenth of a second; what is durable stays for the next
 * run. A second Ctrl-C kills at once. A closed pipe behind stdout ends quietly. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <hf_hub.h>

#include "cli.h"

static hf_op *volatile running;
static volatile sig_atomic_t interrupts;

static void say_aborted(void) {
  static const char text[] = "\nAborted!\n";
  if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return;
}

static void on_interrupt(int sig) {
  int before = errno;
  cli_ask_restore();
  hf_op *op = running;
  if (interrupts++) {
    signal(sig, SIG_DFL);
    raise(sig);
    return;
  }
  struct itimerval soon = {.it_value = {.tv_usec = 70000}};
  if (op) hf_op_cancel(op);
  setitimer(ITIMER_REAL, &soon, NULL);
  errno = before;
}

static void on_alarm(int sig) { /* the operation did not end in time */
  (void)sig;
  cli_ask_restore();
  say_aborted();
  _exit(CLI_FAILED);
}

static void watch_signals(void) {
  struct sigaction act;
  memset(&act, 0, sizeof act);
  act.sa_handler = on_interrupt;
  sigaction(SIGINT, &act, NULL);
  act.sa_handler = on_alarm;
  sigaction(SIGALRM, &act, NULL);
}

struct command {
  hf_runtime *rt;
  struct cli_out *out;
  struct cli_progress *progress;
  bool settled; /* the output mode will not change any more */
};

/* Without a flag the mode depends on who runs this: an agent is known once the registry is, which an operation that uses
 * the network renews before its first request. So the first thing to be shown asks again. */
static void settle(struct command *c) {
  if (c->settled) return;
  c->settled = true;
  if (!hf_hub_agent(c->rt)) return;
  cli_out_mode(c->out, CLI_AGENT);
  cli_progress_free(c->progress);
  c->progress = cli_progress_new(c->rt, CLI_AGENT);
  cli_out_watch(c->out, c->progress);
}

static int32_t on_record(void *arg, uint32_t what, const char *json, size_t len) {
  settle(arg);
  return cli_out_record(((struct command *)arg)->out, what, json, len);
}

static void on_progress(void *arg, const struct hf_event *e) {
  settle(arg);
  cli_progress_event(((struct command *)arg)->progress, e);
}

static hf_status on_ask(void *arg, uint32_t what, const char *prompt, char *answer, size_t room) {
  settle(arg);
  return cli_ask(((struct command *)arg)->out, what, prompt, answer, room);
}

/* Log lines come from any thread, while the bar is drawn by another: each is one write. */
void cli_run_line(const char *text) {
  char line[2304];
  int n = snprintf(line, sizeof line, "%s%s\n", cli_progress_on_screen() ? "\r\033[K" : "", text);
  if (n < 0) return;
  if ((size_t)n >= sizeof line) n = sizeof line - 1;
  if (write(STDERR_FILENO, line, (size_t)n) < 0) return;
}

static const char *mode_name(enum cli_mode mode) {
  static const char *const names[] = {"human", "agent", "json", "quiet"};
  return names[mode];
}

static void write_details(const struct hf_error *e) {
  fprintf(stderr, "%s", hf_status_name(e->code));
  if (e->cls && *e->cls) fprintf(stderr, " (%s)", e->cls);
  if (e->http_status) fprintf(stderr, ", HTTP status %u", e->http_status);
  if (e->sys_errno) fprintf(stderr, ", %s", strerror(e->sys_errno));
  if (e->request_id && *e->request_id) fprintf(stderr, ", request %s", e->request_id);
  if (e->url && *e->url) fprintf(stderr, ", %s", e->url);
  putc('\n', stderr);
  if (e->message) fprintf(stderr, "%s\n", e->message);
}

static int report(struct command *c, const struct hf_task *task, const char *path, const struct hf_error *e) {
  char text[4096];
  if (e->code == HF_ECANCELED && e->cls && !strcmp(e->cls, "Abort")) { /* somebody was asked, and said no */
    fputs("Aborted!\n", stderr);
    return CLI_FAILED;
  }
  hf_hub_error_text(e, text, sizeof text);
  if (cli_out_wants_json(c->out) && task->flags & HF_TK_JSON_ERRORS) {
    cli_out_json_error(c->out, e, text);
    return hf_hub_exit_code(e);
  }
  if (e->cls && !strcmp(e->cls, "Exit")) { /* said as it is: there is no traceback to hint at */
    settle(c);
    if (*text) cli_out_error(c->out, text);
    return hf_hub_exit_code(e);
  }
  if (hf_hub_exit_code(e) == CLI_USAGE) return cli_usage_error(task, path, "%s", text);
  settle(c);
  cli_out_error(c->out, *text ? text : hf_status_name(e->code));
  if (hf_config_flag(c->rt, "HF_DEBUG"))
    write_details(e);
  else if (!e->cls || strcmp(e->cls, "Exit") != 0) /* "Exit": everything is said */
    cli_out_hint(c->out, "set HF_DEBUG=1 as environment variable for full traceback.");
  return CLI_FAILED;
}

static int write_failure(struct cli_out *out, int err) {
  if (err != EPIPE) {
    char text[256];
    snprintf(text, sizeof text, "Writing the output failed: %s.", strerror(err));
    cli_out_error(out, text);
  }
  return CLI_FAILED;
}

static int finish(struct command *c, const struct hf_task *task, const char *path, hf_op *op, hf_status st) {
  int err = cli_out_end(c->out);
  if (interrupts && st != HF_OK) { /* what ended well although it was asked to stop has its result */
    say_aborted();
    return CLI_FAILED;
  }
  if (err) return write_failure(c->out, err);
  if (cli_out_broken(c->out)) {
    cli_out_error(c->out, "The command produced a record that is not JSON; its plugin has a bug.");
    return CLI_FAILED;
  }
  return st ? report(c, task, path, hf_op_error(op)) : CLI_OK;
}

int cli_run(hf_runtime *rt, const struct hf_task *task, const char *path, struct cli_parsed *parsed) {
  struct command c = {.rt = rt, .settled = parsed->mode_given};
  enum cli_mode mode = parsed->mode_given ? parsed->mode : hf_hub_agent(rt) ? CLI_AGENT : CLI_HUMAN;
  if (mode == CLI_AGENT || !(task->flags & HF_TK_NETWORK)) c.settled = true;
  c.out = cli_out_new(mode, parsed->no_truncate);
  if (!c.out) {
    hf_args_free(parsed->args);
    fputs("Error: out of memory\n", stderr);
    return CLI_FAILED;
  }
  c.progress = cli_progress_new(rt, mode);
  cli_out_task(c.out, task);
  cli_out_watch(c.out, c.progress);
  if (parsed->token_on_argv && strcmp(task->name, "auth.login"))
    cli_out_warning(c.out,
                    "`--token <value>` leaves your token in your shell history and in process listings. Run `hf auth "
                    "login` once, or export `HF_TOKEN`, and drop the flag.");
  struct hf_kv options[] = {{"HF_OUTPUT_FORMAT", mode_name(mode)}};
  struct hf_watch watch = {.struct_size = sizeof watch,
                           .flags = HF_WATCH_RUN_IN_WAIT,
                           .arg = &c,
                           .record = on_record,
                           .progress = on_progress,
                           .ask = on_ask,
                           .options = HF_TABLE(options)};
  watch_signals();
  hf_op *op = hf_op_start_args(rt, task, parsed->args, &watch);
  parsed->args = NULL;
  int code = CLI_FAILED;
  if (op) {
    running = op;
    hf_status st = interrupts ? HF_ECANCELED : hf_op_wait(op);
    code = finish(&c, task, path, op, st);
    running = NULL;
    hf_op_free(op);
  } else {
    cli_out_error(c.out, "Out of memory.");
  }
  cli_progress_free(c.progress);
  cli_out_free(c.out);
  return code;
}
