/* judge.c - runs the rules: reads the file, then several rules at a time, each by a process that starts and watches the ones of
 * the rule (trial.c), and says the verdicts in the order of the table.
 * The plugin under judgement is found first: a folder with one link to it is the first place that is searched. */
#include "judge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- output ---- */

static void json_text(const char *s) {
  putchar('"');
  for (; s && *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\')
      printf("\\%c", c);
    else if (c < 0x20 || c >= 0x7f) /* from a plugin: it may be anything */
      printf("\\u%04x", c);
    else
      putchar(c);
  }
  putchar('"');
}

void say(struct verdicts *v, const char *rule, const char *result, const char *detail) {
  if (v->only && !strstr(rule, v->only)) return;
  v->passed += strcmp(result, "ok") == 0;
  v->failures += strcmp(result, "failed") == 0;
  v->skips += strcmp(result, "skipped") == 0;
  if (v->json) {
    printf("{\"rule\": ");
    json_text(rule);
    printf(", \"result\": \"%s\", \"detail\": ", result);
    json_text(detail);
    puts("}");
  } else {
    char dots[64];
    int n = 44 - (int)strlen(rule);
    memset(dots, '.', sizeof dots);
    printf("%s %.*s %s%s%s\n", rule, n > 3 ? n : 3, dots, strcmp(result, "failed") == 0 ? "FAILED" : result,
           detail && *detail ? ": " : "", detail ? detail : "");
  }
  fflush(stdout);
}

/* ---- rules ---- */

struct seat { /* a rule on its way to a verdict */
  const char *name;
  pid_t pid;
  int from;
  struct verdict v;
};

static void start(struct session *s, const struct module *m, const struct rule *r, struct seat *seat) {
  static uint32_t serial;
  int ends[2];
  seat->v = (struct verdict){.how = FAILED, .detail = "no process could be started for it"};
  seat->pid = -1;
  serial++;
  if (pipe2(ends, O_CLOEXEC)) return;
  fflush(stdout);
  seat->pid = fork();
  if (seat->pid == 0) {
    trial_run(s, m, r, serial, &seat->v);
    ssize_t n = write(ends[1], &seat->v, sizeof seat->v);
    _exit(n == (ssize_t)sizeof seat->v ? 0 : 1);
  }
  close(ends[1]);
  seat->from = ends[0];
  if (seat->pid < 0) close(ends[0]);
}

/* Its verdict has come, or its process is gone. */
static void end(struct seat *seat) {
  struct verdict v;
  size_t have = 0;
  if (seat->pid < 0) return;
  for (ssize_t n; have < sizeof v && (n = read(seat->from, (char *)&v + have, sizeof v - have)) > 0;) have += (size_t)n;
  if (have == sizeof v) seat->v = v;
  close(seat->from);
  while (waitpid(seat->pid, NULL, 0) < 0 && errno == EINTR) continue;
  seat->pid = -1;
}

static bool tell(struct session *s, struct seat *seat) {
  static const char *const words[] = {[HELD] = "ok", [FAILED] = "failed", [SKIPPED] = "skipped"};
  end(seat);
  s->v.struck += seat->v.struck > 0;
  say(&s->v, seat->name, words[seat->v.how], seat->v.detail);
  return seat->v.how == HELD;
}

enum { SEATS = 64 };
struct queue { /* rules under way or waiting to be told, in the order of the table */
  struct seat seats[SEATS];
  uint32_t first, used;
};

static struct seat *at(struct queue *q, uint32_t i) {
  return &q->seats[(q->first + i) % SEATS];
}

/* Waits until fewer than `most` are under way, then tells what is next. */
static void advance(struct session *s, struct queue *q, uint32_t most) {
  for (;;) {
    struct pollfd p[SEATS];
    struct seat *of[SEATS];
    nfds_t n = 0;
    for (uint32_t i = 0; i < q->used; i++)
      if (at(q, i)->pid > 0) of[n] = at(q, i), p[n] = (struct pollfd){.fd = of[n]->from, .events = POLLIN}, n++;
    if (n < most || poll(p, n, -1) < 0) break;
    for (nfds_t i = 0; i < n; i++)
      if (p[i].revents) end(of[i]);
  }
  while (q->used && at(q, 0)->pid < 0) {
    tell(s, at(q, 0));
    q->first = (q->first + 1) % SEATS;
    q->used--;
  }
}

static void try_rules(struct session *s, const struct module *m, const struct rules *list) {
  static struct queue q;
  uint32_t most = s->asked->uri ? 1 : s->asked->jobs;
  for (uint32_t i = 0; i < list->count; i++) {
    const struct rule *r = &list->rows[i];
    if (s->v.only && !strstr(r->name, s->v.only)) continue;
    advance(s, &q, most);
    while (q.used == SEATS) advance(s, &q, 1);
    struct seat *seat = at(&q, q.used++);
    *seat = (struct seat){.name = r->name, .pid = -1};
    if ((r->caps & m->caps) != r->caps || (r->without & m->caps))
      seat->v = (struct verdict){.how = SKIPPED, .detail = "not among its capabilities"};
    else
      start(s, m, r, seat);
  }
  while (q.used) advance(s, &q, 1);
}

/* ---- the file ---- */

static int take_module(void *arg, const struct hf_plugin_info *i) {
  struct session *s = arg;
  if (i->kind && s->count < COUNT(s->modules)) {
    struct module *m = &s->modules[s->count++];
    m->kind = i->kind, m->caps = i->caps;
    snprintf(m->name, sizeof m->name, "%s", i->name);
  }
  return 0;
}

static int find_chosen(void *arg, const struct hf_plugin_info *i) {
  struct session *s = arg;
  for (uint32_t k = 0; k < s->count; k++)
    if (i->kind == s->modules[k].kind && strcmp(i->name, s->modules[k].name) == 0 && i->refused && i->file &&
        strncmp(i->file, s->folder, strlen(s->folder)) == 0) {
      char detail[512];
      snprintf(detail, sizeof detail, "%s %s", i->name, i->refused);
      say(&s->v, "abi/free-names", "failed", detail);
      s->count = 0;
    }
  return s->count == 0;
}

/* The link, by a name that the loader looks at. */
static bool arrange(struct session *s) {
  char link[PATH_MAX + 32];
  if (!realpath(s->asked->file, s->real)) {
    fprintf(stderr, "hf-plugin-check: %s: %s\n", s->asked->file, strerror(errno));
    return false;
  }
  snprintf(s->folder, sizeof s->folder, "/tmp/hf-plugin-check-XXXXXX");
  if (!mkdtemp(s->folder)) {
    fprintf(stderr, "hf-plugin-check: no folder in /tmp: %s\n", strerror(errno));
    return false;
  }
  snprintf(s->plugins, sizeof s->plugins, "%s/plugins", s->folder);
  snprintf(link, sizeof link, "%s/hf-judged.so", s->plugins);
  if (mkdir(s->plugins, 0700) || symlink(s->real, link)) return false;
  return true;
}

/* The runtime of the parent is gone before the first child is made: no thread and no lock crosses a fork. */
static bool check_outside(struct session *s) {
  hf_runtime *rt;
  trial_environment(s->folder);
  if (trial_runtime(s, NULL, NULL, &rt)) {
    fprintf(stderr, "hf-plugin-check: %s\n", hf_runtime_problem());
    return false;
  }
  bool ok = check_file(&s->v, rt, s->real);
  if (ok) {
    hf_plugin_read(rt, s->real, take_module, s, NULL);
    hf_plugin_each(rt, find_chosen, s);
    if (s->count) say(&s->v, "abi/free-names", "ok", NULL);
  }
  hf_runtime_free(rt);
  return ok;
}

static const char *const kinds[] = {"", "transfer", "storage", "provider", "tasks"};

static const struct {
  uint32_t kind;
  const struct rules *list;
} all_rules[] = {
    {HF_KIND_STORAGE, &storage_store_rules},   {HF_KIND_STORAGE, &storage_sink_rules},
    {HF_KIND_STORAGE, &storage_group_rules},   {HF_KIND_STORAGE, &storage_held_rules},
    {HF_KIND_TRANSFER, &transfer_rules},       {HF_KIND_TRANSFER, &transfer_upload_rules},
    {HF_KIND_TRANSFER, &transfer_fault_rules}, {HF_KIND_PROVIDER, &provider_rules},
    {HF_KIND_PROVIDER, &provider_case_rules},
};

void judge_list(void) {
  check_list();
  for (uint32_t k = 1; k < COUNT(kinds); k++) {
    printf("%s/opens\n", kinds[k]);
    for (size_t i = 0; i < COUNT(all_rules); i++)
      for (uint32_t r = 0; all_rules[i].kind == k && r < all_rules[i].list->count; r++)
        puts(all_rules[i].list->rows[r].name);
  }
}

/* cases.json beside the plugin. */
static const char *cases_of(const struct session *s) {
  static char path[PATH_MAX + 16];
  if (s->asked->cases) return s->asked->cases;
  snprintf(path, sizeof path, "%.*s/cases.json", (int)(strrchr(s->real, '/') - s->real), s->real);
  return access(path, R_OK) == 0 ? path : NULL;
}

int judge(const struct asked *given) {
  struct asked asked = *given, *a = &asked;
  struct session s = {.asked = a, .v = {.json = a->json, .only = a->only}};
  signal(SIGPIPE, SIG_IGN);
  if (a->faults) fprintf(stderr, "hf-plugin-check: faults with seed %u\n", a->seed);
  bool ready = arrange(&s);
  if (ready) a->cases = cases_of(&s);
  if (ready && check_outside(&s))
    for (uint32_t i = 0; i < s.count; i++) {
      const struct module *m = &s.modules[i];
      char name[64];
      snprintf(name, sizeof name, "%s/opens", kinds[m->kind]);
      const char *only = s.v.only; /* what does not open cannot be tried */
      s.v.only = NULL;
      struct seat seat = {.name = name, .pid = -1};
      start(&s, m, NULL, &seat);
      bool opens = tell(&s, &seat);
      s.v.only = only;
      for (size_t k = 0; opens && k < COUNT(all_rules); k++)
        if (all_rules[k].kind == m->kind) try_rules(&s, m, all_rules[k].list);
    }
  if (s.folder[0]) trial_remove(s.folder);
  if (!ready) return -1;
  if (!a->json) {
    printf("%s: %u rules hold, %u are broken, %u were skipped", a->file, s.v.passed, s.v.failures, s.v.skips);
    if (a->faults || a->layers) printf(", %u were struck by faults", s.v.struck);
    putchar('\n');
  }
  return (int)s.v.failures;
}
