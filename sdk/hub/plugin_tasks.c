/* plugin_tasks.c - hf plugin list|info|check|new: what is there and why something is not used, the judge for a file, and a
 * folder to begin with.
 * Listing reads notes only; info opens the plugin, since threads, keys and rows are said by its code. */
#include <hf/provider.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hub.h"
#include "templates.h"

extern char **environ;

/* ---- words ---- */

static const char *const kind_words[] = {"file", "transfer", "storage", "provider", "tasks"};
static const char *const thread_words[] = {"one", "per-object", "any"};
static const char *const transfer_caps[] = {"download", "upload", "ranges", "resume", "dedup", "batch"};
static const char *const storage_caps[] = {"local-path", "random-write", "resume", "excl-publish", "durable", "blobs",
                                           "refs",       "ref-cas",      "trees",  "leases",       "fenced",  "list",
                                           "links",      "read-only",    "absent", "part-write"};

static const char *kind_word(uint32_t kind) {
  return kind < HF_COUNT(kind_words) ? kind_words[kind] : "unknown";
}

static json_t *caps_words(uint32_t kind, uint64_t caps) {
  const char *const *words = kind == HF_KIND_TRANSFER ? transfer_caps : storage_caps;
  size_t n = kind == HF_KIND_TRANSFER ? HF_COUNT(transfer_caps) : kind == HF_KIND_STORAGE ? HF_COUNT(storage_caps) : 0;
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++)
    if (caps >> i & 1) json_array_append_new(list, json_string(words[i]));
  return list;
}

static json_t *text_or_null(const char *s) {
  json_t *j = s ? json_string(s) : NULL;
  return j ? j : json_null();
}

static json_t *abi_of(const struct hf_plugin_info *i) {
  return i->abi_major ? json_sprintf("%u.%u", i->abi_major, i->abi_minor) : json_null();
}

/* The note's commands, or the first words of a built-in pack's rows. */
static json_t *commands_of(hf_runtime *rt, const struct hf_plugin_info *i) {
  json_t *list = json_array();
  for (const char *c = i->commands; c && *c;) {
    size_t n = strcspn(c, " ");
    if (n) json_array_append_new(list, json_stringn(c, n));
    c += n + (c[n] == ' ');
  }
  if (i->kind != HF_KIND_TASKS || i->file || i->refused) return list;
  const struct hf_tasks *pack = (const struct hf_tasks *)hf_plugin_open(rt, i->kind, i->name, NULL);
  const struct hf_task *rows = pack ? pack->tasks.rows : NULL;
  for (uint32_t k = 0; rows && k < pack->tasks.count; k++) {
    size_t n = strcspn(rows[k].name, ".");
    bool there = false;
    for (size_t w = 0; w < json_array_size(list) && !there; w++) {
      const char *word = json_string_value(json_array_get(list, w));
      there = strlen(word) == n && strncmp(word, rows[k].name, n) == 0;
    }
    if (!there) json_array_append_new(list, json_stringn(rows[k].name, n));
  }
  return list;
}

/* ---- list ---- */

struct listing {
  hf_call *call;
  hf_out *out;
  hf_runtime *rt;
  hf_status st;
};

static int list_row(void *arg, const struct hf_plugin_info *i) {
  struct listing *l = arg;
  json_t *row = json_pack("{s:s,s:s,s:s,s:s,s:i,s:o,s:o,s:o,s:o,s:o}", "kind", kind_word(i->kind), "name", i->name,
                          "plugin", i->plugin, "version", i->version ? i->version : "", "priority", (int)i->priority,
                          "abi", abi_of(i), "capabilities", caps_words(i->kind, i->caps), "commands",
                          commands_of(l->rt, i), "file", text_or_null(i->file), "refused", text_or_null(i->refused));
  l->st = hf_hub_record(l->out, l->call, HF_OUT_ITEM, row);
  return l->st != HF_OK;
}

static hf_status run_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state, (void)args;
  struct listing l = {.call = c, .out = out, .rt = hf_call_runtime(c)};
  hf_plugin_each(l.rt, list_row, &l);
  TRY(l.st);
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

/* ---- info ---- */

static json_t *params_of(struct hf_table t) {
  json_t *list = json_array();
  const struct hf_param *p = t.rows;
  for (uint32_t i = 0; i < t.count; i++)
    json_array_append_new(list, json_pack("{s:s,s:o,s:o,s:o}", "name", p[i].name, "help", text_or_null(p[i].help),
                                          "env", text_or_null(p[i].env), "default", text_or_null(p[i].deflt)));
  return list;
}

/* What only the opened module says. */
static void add_opened(json_t *row, hf_runtime *rt, const struct hf_plugin_info *i) {
  const char *why = NULL;
  const struct hf_module *m = hf_plugin_open(rt, i->kind, i->name, &why);
  if (!m) {
    json_object_set_new(row, "refused", text_or_null(why));
    return;
  }
  json_object_set_new(row, "summary", json_string(m->summary));
  json_object_set_new(row, "threads", json_string(thread_words[m->threads]));
  json_object_set_new(row, "config", params_of(m->config));
  json_t *names = json_array();
  if (m->kind == HF_KIND_TASKS) {
    const struct hf_task *rows = ((const struct hf_tasks *)m)->tasks.rows;
    for (uint32_t k = 0; k < ((const struct hf_tasks *)m)->tasks.count; k++)
      json_array_append_new(names, json_string(rows[k].name));
  } else if (m->kind == HF_KIND_PROVIDER) {
    const struct hf_table t = ((const struct hf_provider *)m)->tasks;
    for (uint32_t k = 0; k < t.count; k++)
      json_array_append_new(names, json_string(((const struct hf_pv_task *)t.rows)[k].task));
  }
  json_object_set_new(row, "tasks", names);
}

struct wanted {
  hf_runtime *rt;
  const char *name;
  json_t *found;
};

static int info_row(void *arg, const struct hf_plugin_info *i) {
  struct wanted *w = arg;
  if (strcmp(i->name, w->name) != 0 && strcmp(i->plugin, w->name) != 0) return 0;
  json_t *row = json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:i,s:o,s:o,s:o}", "kind", kind_word(i->kind), "name", i->name,
                          "plugin", i->plugin, "version", i->version ? i->version : "", "file", text_or_null(i->file),
                          "abi", abi_of(i), "priority", (int)i->priority, "capabilities", caps_words(i->kind, i->caps),
                          "commands", commands_of(w->rt, i), "refused", text_or_null(i->refused));
  if (row && !i->refused) add_opened(row, w->rt, i);
  json_array_append_new(w->found, row);
  return 0;
}

static hf_status run_info(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  struct wanted w = {.rt = hf_call_runtime(c), .name = hf_host()->arg_str(args, "name", 0), .found = json_array()};
  hf_plugin_each(w.rt, info_row, &w);
  if (!json_array_size(w.found)) {
    json_decref(w.found);
    return hf_hub_fail(c, HF_ENOTFOUND, NULL,
                       "There is no plugin or module \"%s\": `hf plugin list` shows what there is.", w.name);
  }
  return hf_hub_record(out, c, HF_OUT_DICT, json_pack("{s:s,s:o}", "name", w.name, "modules", w.found));
}

/* ---- check ---- */

/* Beside this program, else wherever the shell would find it. */
static const char *judge(char path[PATH_MAX]) {
  ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 20);
  if (n <= 0) return "hf-plugin-check";
  path[n] = 0;
  char *slash = strrchr(path, '/');
  memcpy(slash ? slash + 1 : path, "hf-plugin-check", sizeof "hf-plugin-check");
  return access(path, X_OK) == 0 ? path : "hf-plugin-check";
}

static hf_status start_judge(hf_call *c, const hf_args *args, pid_t *pid, FILE **from) {
  char path[PATH_MAX];
  const char *argv[36];
  uint32_t n = 0, given = hf_host()->arg_count(args, "setting");
  int ends[2];
  argv[n++] = judge(path);
  argv[n++] = "--json";
  argv[n++] = hf_host()->arg_str(args, "file", 0);
  if (given > 32) return hf_hub_fail(c, HF_EINVAL, "UsageError", "At most 32 settings can be given.");
  for (uint32_t i = 0; i < given; i++) argv[n++] = hf_host()->arg_str(args, "setting", i);
  argv[n] = NULL;
  if (pipe2(ends, O_CLOEXEC)) return hf_hub_fail(c, HF_EIO, NULL, "Could not open a pipe: %s", strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  int err = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  *from = err ? NULL : fdopen(ends[0], "r");
  if (*from) return HF_OK;
  close(ends[0]);
  return hf_hub_fail(c, HF_ENOTFOUND, NULL, "Could not start hf-plugin-check: %s. It is installed together with hf.",
                     strerror(err ? err : errno));
}

static hf_status run_check(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  pid_t pid;
  FILE *from;
  TRY(start_judge(c, args, &pid, &from));
  char *line = NULL;
  size_t room = 0;
  unsigned failed = 0, rules = 0;
  hf_status st = HF_OK;
  for (ssize_t n; st == HF_OK && (n = getline(&line, &room, from)) > 0;) {
    while (n && line[n - 1] == '\n') n--;
    rules++;
    failed += strstr(line, "\"result\": \"failed\"") != NULL;
    st = hf_host()->record(out, HF_OUT_ITEM, line, (size_t)n);
    if (st == HF_OK) st = hf_host()->check(c);
  }
  free(line);
  fclose(from);
  int how = 0;
  while (waitpid(pid, &how, 0) < 0 && errno == EINTR) continue;
  TRY(st);
  TRY(hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2));
  const char *file = hf_host()->arg_str(args, "file", 0);
  if (failed) return hf_hub_fail(c, HF_EABI, NULL, "%s breaks %u of %u rules.", file, failed, rules);
  if (!WIFEXITED(how) || WEXITSTATUS(how)) return hf_hub_fail(c, HF_EABI, NULL, "%s could not be judged.", file);
  return HF_OK;
}

/* ---- new ---- */

static bool legal_name(const char *s) {
  size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
  return n && n <= 31 && !s[n] && s[0] != '-';
}

/* Does this word of seven letters stand here by itself? "examples" is another one. */
static bool stands(const char *text, size_t left, const char *word) {
  if (left < 7 || strncmp(text, word, 7) != 0) return false;
  return left == 7 || !((text[7] >= 'a' && text[7] <= 'z') || (text[7] >= 'A' && text[7] <= 'Z'));
}

/* The template with another name: "example" -> name, "EXAMPLE" -> NAME. The caller frees. */
static char *renamed(const char *text, size_t len, const char *name, size_t *out_len) {
  size_t word = strlen("example"), n = strlen(name), room = len + 1;
  for (size_t i = 0; i < len; i++)
    if (stands(text + i, len - i, "example") || stands(text + i, len - i, "EXAMPLE")) room += n;
  char *out = malloc(room);
  size_t at = 0;
  for (size_t i = 0; out && i < len;) {
    bool small = stands(text + i, len - i, "example"), large = stands(text + i, len - i, "EXAMPLE");
    if (!small && !large) {
      out[at++] = text[i++];
      continue;
    }
    for (size_t k = 0; k < n; k++) {
      char up = name[k] == '-' ? '_' : name[k] >= 'a' && name[k] <= 'z' ? (char)(name[k] - 'a' + 'A') : name[k];
      out[at++] = small ? name[k] : up;
    }
    i += word;
  }
  if (out) out[at] = 0;
  *out_len = at;
  return out;
}

static hf_status write_new(hf_call *c, const char *path, const char *text, size_t len) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0)
    return hf_hub_fail(c, errno == EEXIST ? HF_EEXISTS : HF_EIO, NULL, "Could not create %s: %s", path,
                       strerror(errno));
  size_t done = 0;
  while (done < len) {
    ssize_t n = write(fd, text + done, len - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += (size_t)n;
  }
  int bad = close(fd) || done < len;
  return bad ? hf_hub_fail(c, HF_EIO, NULL, "Could not write %s: %s", path, strerror(errno)) : HF_OK;
}

static hf_status write_template(hf_call *c, const struct hf_template *t, const char *dir, const char *name,
                                json_t *files) {
  size_t len, name_len;
  const char *base = strrchr(t->path, '/') + 1;
  char *file = renamed(base, strlen(base), name, &name_len), path[PATH_MAX];
  char *text = renamed((const char *)t->data, t->len, name, &len);
  hf_status st = HF_ENOMEM;
  if (file && text && (size_t)snprintf(path, sizeof path, "%s/%s", dir, file) < sizeof path)
    st = write_new(c, path, text, len);
  if (st == HF_OK) json_array_append_new(files, json_string(path));
  free(file);
  free(text);
  return st;
}

static hf_status run_new(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  const char *kind = hf_host()->arg_str(args, "kind", 0), *name = hf_host()->arg_str(args, "name", 0);
  const char *dir = hf_host()->arg_str(args, "dir", 0);
  if (!legal_name(name))
    return hf_hub_fail(c, HF_EINVAL, "UsageError",
                       "Invalid value for 'NAME': '%s' may hold a-z, 0-9 and \"-\" only, at most 31 characters.", name);
  if (!dir) dir = hf_hub_text(c, "hf-%s", name);
  if (!dir) return HF_ENOMEM;
  if (mkdir(dir, 0777) && errno != EEXIST)
    return hf_hub_fail(c, HF_EIO, NULL, "Could not create the folder %s: %s", dir, strerror(errno));
  json_t *files = json_array();
  hf_status st = HF_OK;
  for (const struct hf_template *t = hf_templates; t->path && st == HF_OK; t++) {
    size_t n = strcspn(t->path, "/");
    bool ours = strlen(kind) == n && strncmp(t->path, kind, n) == 0;
    if (ours || strncmp(t->path, "build/", 6) == 0) st = write_template(c, t, dir, name, files);
  }
  if (st != HF_OK) {
    json_decref(files);
    return st;
  }
  st = hf_hub_say(out, c, HF_OUT_MESSAGE, hf_hub_text(c, "Created a %s plugin in %s", kind, dir));
  json_t *made = json_pack("{s:s,s:s,s:s,s:o}", "path", dir, "kind", kind, "name", name, "files", files);
  if (st == HF_OK) st = hf_hub_record(out, c, HF_OUT_RESULT, made);
  TRY(st);
  return hf_hub_say(
      out, c, HF_OUT_HINT,
      hf_hub_text(c, "cd %s && make && hf-plugin-check ./hf-%s.so, then hf --plugin-path \"$PWD\" plugin list", dir,
                  name));
}

/* ---- rows ---- */

static const struct hf_param info_params[] = {{.name = "name",
                                               .value_name = "NAME",
                                               .help = "Name of a plugin or of one of its modules.",
                                               .type = HF_P_STR,
                                               .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL}};
static const struct hf_param check_params[] = {
    {.name = "file",
     .value_name = "FILE",
     .help = "The plugin's file.",
     .type = HF_P_PATH,
     .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL},
    {.name = "setting",
     .value_name = "[KEY=VALUE]...",
     .help = "Configuration for the plugin, and uri=URI for a storage backend.",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL | HF_PF_REPEAT}};
static const struct hf_param new_params[] = {
    {.name = "kind",
     .value_name = "KIND",
     .help = "What it shall be.",
     .choices = "storage,transfer,provider,tasks",
     .type = HF_P_CHOICE,
     .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL},
    {.name = "name",
     .value_name = "NAME",
     .help = "Name of the plugin and its module.",
     .type = HF_P_STR,
     .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL},
    {.name = "dir", .value_name = "DIR", .help = "Folder to write to. Defaults to hf-NAME.", .type = HF_P_PATH}};
static const struct hf_column list_columns[] = {{"kind", "kind"},         {"name", "name"}, {"version", "version"},
                                                {"priority", "priority"}, {"abi", "abi"},   {"file", "file"},
                                                {"refused", "refused"}};
static const struct hf_column check_columns[] = {{"rule", "rule"}, {"result", "result"}, {"detail", "detail"}};

static const struct hf_task rows[] = {
    {.name = "plugin.list",
     .aliases = "ls",
     .group_help = "Look at plugins, judge them, begin one.",
     .summary = "List the modules of all plugins, and files that are refused with the reason.",
     .examples = "hf plugin list\nhf plugin list --json",
     .columns = HF_TABLE(list_columns),
     .id_key = "name",
     .flags = HF_TK_OURS,
     .run = run_list},
    {.name = "plugin.info",
     .summary = "Show everything a plugin says about itself.",
     .examples = "hf plugin info hub-cache",
     .params = HF_TABLE(info_params),
     .flags = HF_TK_OURS,
     .run = run_info},
    {.name = "plugin.check",
     .summary = "Judge a plugin file by the rules of the ABI and of its kind.",
     .examples = "hf plugin check ./hf-mine.so uri=mine:/tmp/store",
     .params = HF_TABLE(check_params),
     .columns = HF_TABLE(check_columns),
     .id_key = "rule",
     .flags = HF_TK_OURS | HF_TK_STREAMS,
     .run = run_check},
    {.name = "plugin.new",
     .summary = "Write a complete small plugin to start from.",
     .examples = "hf plugin new storage mine\nhf plugin new transfer mine --dir ~/src/mine",
     .params = HF_TABLE(new_params),
     .flags = HF_TK_OURS,
     .run = run_new},
};
const struct hf_tasks hf_hub_tasks_plugin = HF_HUB_TASKS("hub-plugin", "Look at plugins", HF_TABLE(rows));
