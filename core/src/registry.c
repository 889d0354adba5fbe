/* registry.c - which modules there are, by kind and name. Built-in ones first, then those of the plugin folders, which are
 * looked at when something is asked for that is not built in. Choosing and listing read notes only; a file is opened as
 * code when one of its modules is asked for by name, and a refusal is for good. */
#include "registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PLACES_MAX = 64 };

struct plugin { /* one file, or one that is built in */
  struct plugin *next;
  const char *path; /* NULL: built in */
  struct hf_facts *facts;
  const struct hf_plugin *p; /* NULL: not opened yet */
  const char *why;
  bool used; /* load() has run for this runtime */
  void *state;
};
struct entry { /* one module */
  struct entry *next;
  struct hf_plugin_info info;
  struct plugin *plugin; /* NULL: a folder that is not searched */
  struct hf_slot_module slot;
  bool bound;
};
struct hf_registry {
  const struct hf_host *host;
  struct hf_arena *arena;
  pthread_mutex_t lock;
  struct plugin *plugins, **plugins_end;
  struct entry *entries, **entries_end;
  const char *plugin_path, *libdir;
  bool no_files, scanned;
  uint32_t files;
  struct complaint *complaints; /* to be logged once the lock is free */
};
struct complaint {
  struct complaint *next;
  const char *text;
};

static const char no_memory[] = "could not be taken in: out of memory";

static const char *keep(struct hf_registry *r, const char *s) {
  const char *copy = hf_arena_dup(r->arena, s, SIZE_MAX);
  return copy ? copy : no_memory;
}

static void complain(struct hf_registry *r, const struct hf_place *p) {
  char text[HF_WHY_MAX + 64];
  struct complaint *c = hf_arena_alloc(r->arena, sizeof *c), **end = &r->complaints;
  if (!c) return;
  snprintf(text, sizeof text, "%s: %s: no plugin is taken from there", p->origin, p->why);
  c->text = keep(r, text);
  while (*end) end = &(*end)->next;
  *end = c;
}

/* Lets go of the registry; what there is to say is said without it, since saying runs foreign code. */
static void leave(hf_runtime *rt) {
  struct complaint *c = rt->registry->complaints;
  rt->registry->complaints = NULL;
  pthread_mutex_unlock(&rt->registry->lock);
  for (; c; c = c->next) hf_log(rt, HF_LOG_WARNING, "%s", c->text);
}

static struct plugin *add_plugin(struct hf_registry *r, const char *path) {
  struct plugin *p = hf_arena_alloc(r->arena, sizeof *p);
  if (!p) return NULL;
  p->path = path;
  *r->plugins_end = p;
  r->plugins_end = &p->next;
  return p;
}

/* The earlier module of this kind and name that is in use. */
static struct entry *find(struct hf_registry *r, uint32_t kind, const char *name) {
  for (struct entry *e = r->entries; e; e = e->next)
    if (e->info.kind == kind && !e->info.refused && strcmp(e->info.name, name) == 0) return e;
  return NULL;
}

static void add_entry(struct hf_registry *r, struct plugin *p, const struct hf_plugin_info *info) {
  struct entry *e = hf_arena_alloc(r->arena, sizeof *e);
  if (!e) return;
  e->info = *info;
  e->info.struct_size = sizeof e->info;
  e->plugin = p;
  pthread_mutexattr_t a; /* a callback of ours may lead back into the module that called it */
  if (pthread_mutexattr_init(&a)) return;
  pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
  int bad = pthread_mutex_init(&e->slot.one, &a);
  pthread_mutexattr_destroy(&a);
  if (bad) return;
  *r->entries_end = e;
  r->entries_end = &e->next;
}

/* ---- built in ---- */

static hf_status add_statics(struct hf_registry *r, const struct hf_plugin *const *list) {
  char why[HF_WHY_MAX];
  for (; list && *list; list++) {
    const struct hf_plugin *d = *list;
    struct plugin *p = add_plugin(r, NULL);
    if (!p) return HF_ENOMEM;
    p->p = d;
    if (!hf_load_check(d, NULL, why)) return HF_EABI;
    for (uint32_t i = 0; i < d->module_count; i++) {
      const struct hf_module *m = d->modules[i];
      add_entry(r, p,
                &(struct hf_plugin_info){.kind = m->kind,
                                         .name = m->name,
                                         .plugin = d->name,
                                         .version = d->version,
                                         .refused = find(r, m->kind, m->name) ? "is there twice" : NULL,
                                         .commands = "",
                                         .priority = m->priority,
                                         .abi_major = d->abi_major,
                                         .abi_minor = d->abi_minor,
                                         .caps = m->caps});
    }
  }
  return HF_OK;
}

/* ---- files ---- */

static bool static_task(struct hf_registry *r, const char *name, size_t len) {
  for (struct entry *e = r->entries; e; e = e->next) {
    if (e->info.kind != HF_KIND_TASKS || e->info.file) continue;
    for (uint32_t i = 0; i < e->plugin->p->module_count; i++) {
      const struct hf_module *m = e->plugin->p->modules[i];
      if (m->kind != HF_KIND_TASKS || strcmp(m->name, e->info.name) != 0) continue;
      struct hf_table t = ((const struct hf_tasks *)m)->tasks;
      for (uint32_t k = 0; k < t.count; k++) {
        const struct hf_task *row = (const void *)((const uint8_t *)t.rows + (size_t)k * t.stride);
        if (strncmp(row->name, name, len) == 0 && !row->name[len]) return true;
      }
    }
  }
  return false;
}

/* A pack may add to a group of ours; it may not take the place of a command. */
static const char *taken_command(struct hf_registry *r, const struct hf_note_module *m) {
  if (m->kind != HF_KIND_TASKS) return NULL;
  if (!m->commands[strspn(m->commands, " ")]) return "names no command in its note";
  for (const char *c = m->commands; *c;) {
    size_t n = strcspn(c, " ");
    char text[HF_WHY_MAX];
    if (n && static_task(r, c, n)) {
      hf_refuse(text, "would replace the command \"%.*s\"", (int)n, c);
      return keep(r, text);
    }
    c += n + (c[n] == ' ');
  }
  return NULL;
}

static void add_facts(struct hf_registry *r, const char *path, const char *stem, const struct hf_facts *facts) {
  struct plugin *p = add_plugin(r, path);
  struct hf_facts *f = hf_arena_alloc(r->arena, sizeof *f);
  if (!p || !f) return;
  memcpy(f, facts, sizeof *f);
  p->facts = f;
  p->why = f->why[0] ? f->why : NULL;
  struct hf_plugin_info info = {.name = stem,
                                .plugin = f->plugin[0] ? f->plugin : stem,
                                .version = f->version,
                                .file = path,
                                .refused = p->why,
                                .commands = "",
                                .abi_major = f->abi_major,
                                .abi_minor = f->abi_minor};
  if (!f->count) add_entry(r, p, &info);
  for (uint32_t i = 0; i < f->count; i++) {
    const struct hf_note_module *m = &f->modules[i];
    struct entry *first = find(r, m->kind, m->name);
    info.kind = m->kind, info.name = m->name, info.commands = m->commands;
    info.priority = m->priority, info.caps = m->caps;
    info.refused = p->why ? p->why : taken_command(r, m);
    if (!info.refused && first) {
      char text[HF_WHY_MAX];
      hf_refuse(text, "is hidden by %.250s", first->info.file ? first->info.file : "one that is built in");
      info.refused = keep(r, text);
    }
    add_entry(r, p, &info);
  }
}

static void add_file(struct hf_registry *r, struct hf_index *ix, const char *folder, const char *file) {
  char path[4096], real[4096];
  struct hf_facts facts = {0};
  struct stat st;
  int n = snprintf(path, sizeof path, "%s/%s", folder, file);
  for (struct plugin *p = r->plugins; p; p = p->next)
    if (p->path && strcmp(p->path, path) == 0) return; /* looked at by name before */
  if (n < 0 || (size_t)n >= sizeof path || r->files++ >= HF_PLUGIN_FILES_MAX || lstat(path, &st)) return;
  const char *kept = hf_arena_dup(r->arena, path, (size_t)n);
  const char *stem = hf_arena_dup(r->arena, file + 3, strlen(file) - 6);
  if (!kept || !stem) return;
  memcpy(real, path, (size_t)n + 1);
  bool ok = S_ISLNK(st.st_mode) ? hf_path_trusted(path, real, facts.why) : hf_stat_trusted(path, &st, facts.why);
  if (ok && S_ISLNK(st.st_mode) && lstat(real, &st)) ok = hf_refuse(facts.why, "is gone");
  if (ok && !S_ISREG(st.st_mode)) ok = hf_refuse(facts.why, "is not a regular file");
  struct hf_file_key key = hf_file_key(&st);
  const struct hf_facts *known = ok && ix ? hf_index_find(ix, path, &key) : NULL;
  if (ok && !known) {
    int fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
      hf_refuse(facts.why, "could not be opened: %s", strerror(errno));
    } else {
      hf_elf_read(fd, &facts);
      struct stat now;
      bool same = fstat(fd, &now) == 0;
      struct hf_file_key then = hf_file_key(same ? &now : &st);
      if (ix && same && !facts.passing && memcmp(&then, &key, sizeof key) == 0) hf_index_add(ix, path, &key, &facts);
      close(fd);
    }
  }
  add_facts(r, kept, stem, known ? known : &facts);
}

static bool plugin_file(const char *name) {
  size_t n = strlen(name);
  char stem[32];
  if (n < 7 || n - 6 >= sizeof stem || strncmp(name, "hf-", 3) != 0 || strcmp(name + n - 3, ".so") != 0) return false;
  memcpy(stem, name + 3, n - 6);
  stem[n - 6] = 0;
  return hf_name_legal(stem);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void scan_folder(struct hf_registry *r, struct hf_index *ix, const char *folder) {
  DIR *d = opendir(folder);
  if (!d) return;
  char **names = NULL;
  size_t n = 0, room = 0;
  for (struct dirent *e; (e = readdir(d)) && n < HF_PLUGIN_FILES_MAX;) {
    if (!plugin_file(e->d_name)) continue;
    if (n == room) {
      char **more = hf_mem_resize(names, (room = room ? room * 2 : 32) * sizeof *names);
      if (!more) break;
      names = more;
    }
    if (!(names[n] = hf_arena_dup(r->arena, e->d_name, SIZE_MAX))) break;
    n++;
  }
  closedir(d);
  if (n) qsort(names, n, sizeof *names, by_text);
  for (size_t i = 0; i < n; i++) add_file(r, ix, folder, names[i]);
  hf_mem_free(names);
}

/* The folders that are there, in order of precedence; the library's own is the last. */
static uint32_t find_places(hf_runtime *rt, struct hf_place *places) {
  struct hf_registry *r = rt->registry;
  struct hf_setting set = hf_config_setting(rt, "HF_PLUGIN_PATH");
  bool foreign = hf_privileged() && set.origin && strncmp(set.origin, "environment", 11) == 0;
  if (r->plugin_path && set.value && strcmp(r->plugin_path, set.value) == 0)
    set.value = NULL; /* said once, in two ways */
  uint32_t n = hf_search_places(r->plugin_path, foreign ? NULL : set.value, r->libdir, places, PLACES_MAX), kept = 0;
  for (uint32_t i = 0; i < n; i++)
    if (places[i].why[0] || access(places[i].path, F_OK) == 0) places[kept++] = places[i];
  return kept;
}

static bool is_library(const struct hf_registry *r, const struct hf_place *p) {
  size_t n = r->libdir ? strlen(r->libdir) : 0;
  return n && strncmp(p->path, r->libdir, n) == 0 && strcmp(p->path + n, "/plugins") == 0;
}

static void scan(hf_runtime *rt) {
  struct hf_registry *r = rt->registry;
  if (r->scanned || r->no_files) return;
  r->scanned = true;
  struct hf_place *places = hf_mem_alloc(PLACES_MAX * sizeof *places);
  struct hf_index *ix = hf_index_open();
  uint32_t n = places ? find_places(rt, places) : 0;
  for (uint32_t i = 0; i < n; i++) {
    char real[4096];
    struct hf_place *p = &places[i];
    bool own = is_library(r, p); /* its few files are read faster than looked up, and leave no index behind */
    if (!p->why[0] && hf_path_trusted(p->path, real, p->why)) {
      bool again = false;
      for (uint32_t k = 0; k < i && !again; k++) again = !places[k].why[0] && strcmp(places[k].path, real) == 0;
      memcpy(p->path, real, sizeof real);
      if (!again) scan_folder(r, own ? NULL : ix, real);
      continue;
    }
    complain(r, p);
    add_entry(r, NULL,
              &(struct hf_plugin_info){.name = keep(r, p->path),
                                       .plugin = "",
                                       .version = "",
                                       .file = keep(r, p->path),
                                       .refused = keep(r, p->why),
                                       .commands = ""});
  }
  hf_index_close(ix);
  hf_mem_free(places);
}

/* A module asked for by name while nothing has been scanned: where the library's folder is the only one, the file that
 * bears the name is the one, and no other needs to be looked at. */
static void look_for(hf_runtime *rt, const char *name) {
  struct hf_registry *r = rt->registry;
  char file[64], real[4096];
  if (r->scanned || r->no_files || !hf_name_legal(name)) return;
  struct hf_place *places = hf_mem_alloc(PLACES_MAX * sizeof *places);
  if (places && find_places(rt, places) == 1 && is_library(r, places) && !places->why[0] &&
      hf_path_trusted(places->path, real, places->why)) {
    snprintf(file, sizeof file, "hf-%s.so", name);
    add_file(r, NULL, real, file);
  }
  hf_mem_free(places);
}

/* ---- opening ---- */

static bool declared(const char *commands, const char *task) {
  size_t n = strcspn(task, ".");
  for (const char *c = commands; *c;) {
    size_t len = strcspn(c, " ");
    if (len == n && strncmp(c, task, n) == 0) return true;
    c += len + (c[len] == ' ');
  }
  return false;
}

/* What only a pack from a file must prove: its rows stay inside what its note said, and take nobody's name. */
static bool fair_pack(struct hf_registry *r, struct entry *e, const struct hf_tasks *pack, char why[HF_WHY_MAX]) {
  if (!hf_tasks_unique(pack, why)) return false;
  const struct hf_task *rows = pack->tasks.rows;
  for (uint32_t i = 0; i < pack->tasks.count; i++) {
    if (!declared(e->info.commands, rows[i].name))
      return hf_refuse(why, "has a task %s whose first word its note does not name", rows[i].name);
    if (static_task(r, rows[i].name, strlen(rows[i].name)))
      return hf_refuse(why, "would replace the command \"%s\"", rows[i].name);
    for (struct entry *o = r->entries; o; o = o->next) {
      if (o == e || !o->bound || o->info.kind != HF_KIND_TASKS) continue;
      struct hf_table t = ((const struct hf_tasks *)o->slot.m)->tasks;
      const struct hf_task *other = t.rows;
      for (uint32_t k = 0; k < t.count; k++)
        if (strcmp(other[k].name, rows[i].name) == 0)
          return hf_refuse(why, "would replace the command \"%s\" of %s", rows[i].name, o->info.name);
    }
  }
  return true;
}

/* Nothing of this plugin is used any more. */
static void refuse_plugin(struct hf_registry *r, struct plugin *p, const char *why) {
  p->why = keep(r, why);
  for (struct entry *e = r->entries; e; e = e->next)
    if (e->plugin == p && !e->info.refused) e->info.refused = p->why;
}

static void open_file(struct hf_registry *r, struct plugin *p) {
  char why[HF_WHY_MAX] = "";
  struct hf_facts now;
  const struct hf_plugin *d = hf_load_file(p->path, &now, why);
  if (d && (now.count != p->facts->count || memcmp(now.modules, p->facts->modules, sizeof now.modules) != 0)) {
    hf_refuse(why, "changed after it was listed");
    d = NULL;
  }
  p->p = d;
  if (!d) refuse_plugin(r, p, why);
}

static bool bind(struct hf_registry *r, struct entry *e) {
  if (e->bound || e->info.refused) return e->bound;
  char why[HF_WHY_MAX] = "";
  struct plugin *p = e->plugin;
  if (!p->p) open_file(r, p);
  if (!p->p) return false;
  const struct hf_module *m = NULL;
  for (uint32_t i = 0; i < p->p->module_count && !m; i++)
    if (p->p->modules[i]->kind == e->info.kind && strcmp(p->p->modules[i]->name, e->info.name) == 0)
      m = p->p->modules[i];
  const struct hf_module *mine = m ? hf_normalise(r->arena, m, why) : NULL;
  if (mine && p->path && mine->kind == HF_KIND_TASKS && !fair_pack(r, e, (const struct hf_tasks *)mine, why))
    mine = NULL;
  if (!mine) {
    e->info.refused = keep(r, why);
    return false;
  }
  e->slot.m = mine;
  e->slot.threads = mine->threads;
  e->slot.state = p->state;
  return e->bound = true;
}

static struct entry *entry_of(struct hf_slot_module *s) {
  return (struct entry *)((char *)s - offsetof(struct entry, slot));
}

/* load(), once for this runtime; a failure refuses the plugin for good. */
static hf_status ready(struct hf_registry *r, struct entry *e, const char **refused) {
  struct plugin *p = e->plugin;
  char why[HF_WHY_MAX] = "";
  pthread_mutex_lock(&r->lock);
  bool used = p->used;
  *refused = p->why;
  pthread_mutex_unlock(&r->lock);
  if (used) return HF_OK;
  void *state = NULL;
  hf_status st = *refused ? HF_EABI : hf_load_use(p->p, r->host, &state, why);
  pthread_mutex_lock(&r->lock);
  bool twice = st == HF_OK && p->used;
  if (st == HF_OK && !twice) {
    p->used = true;
    p->state = state;
    for (struct entry *o = r->entries; o; o = o->next)
      if (o->plugin == p) o->slot.state = state;
  } else if (st != HF_OK && !p->why) {
    refuse_plugin(r, p, why);
  }
  *refused = p->why;
  pthread_mutex_unlock(&r->lock);
  if (twice) hf_load_drop(p->p);
  return st;
}

hf_status hf_slot_ready(hf_call *c, struct hf_slot_module *s) {
  struct entry *e = entry_of(s);
  const char *why;
  hf_status st = ready(c->rt->registry, e, &why);
  if (st == HF_OK) return HF_OK;
  return hf_call_failf(c, st, "the plugin %s %s", e->plugin->path ? e->plugin->path : e->info.plugin, why);
}

/* ---- asking ---- */

static struct entry *refused_one(struct hf_registry *r, uint32_t kind, const char *name) {
  for (struct entry *e = r->entries; e; e = e->next)
    if (e->info.refused && (e->info.kind == kind || !e->info.kind) && strcmp(e->info.name, name) == 0) return e;
  return NULL;
}

/* With the lock held. NULL: *why says so, in the registry's memory. */
static struct entry *open_module(hf_runtime *rt, uint32_t kind, const char *name, const char **why) {
  struct hf_registry *r = rt->registry;
  struct entry *e = find(r, kind, name);
  if (!e) {
    look_for(rt, name);
    e = find(r, kind, name);
  }
  if (!e) {
    scan(rt);
    e = find(r, kind, name);
  }
  if (e && bind(r, e)) return e;
  struct entry *bad = e ? e : refused_one(r, kind, name);
  char text[1024];
  const char *word = hf_kind_word(kind);
  if (bad)
    snprintf(text, sizeof text, "%s %s", bad->info.file ? bad->info.file : bad->info.name, bad->info.refused);
  else
    snprintf(text, sizeof text, "there is no %s \"%.64s\": `hf plugin list` shows what there is",
             word ? word : "module", name);
  *why = keep(r, text);
  return NULL;
}

hf_status hf_module_get(hf_call *c, uint32_t kind, const char *name, struct hf_slot_module **out) {
  struct hf_registry *r = c->rt->registry;
  const char *why = NULL;
  pthread_mutex_lock(&r->lock);
  struct entry *e = open_module(c->rt, kind, name, &why);
  bool known = e || refused_one(r, kind, name);
  leave(c->rt);
  if (!e) return hf_call_failf(c, known ? HF_EABI : HF_ENOTFOUND, "%s", why);
  TRY(hf_slot_ready(c, &e->slot));
  *out = &e->slot;
  return HF_OK;
}

const struct hf_module *hf_plugin_open(hf_runtime *rt, uint32_t kind, const char *name, const char **why) {
  const char *text = NULL;
  pthread_mutex_lock(&rt->registry->lock);
  struct entry *e = open_module(rt, kind, name, &text);
  leave(rt);
  if (e && ready(rt->registry, e, &text) != HF_OK) e = NULL;
  if (why) *why = text;
  return e ? e->slot.m : NULL;
}

const struct hf_module *hf_plugin_look(hf_runtime *rt, uint32_t kind, const char *name, const char **why) {
  const char *text = NULL;
  pthread_mutex_lock(&rt->registry->lock);
  struct entry *e = open_module(rt, kind, name, &text);
  leave(rt);
  if (why) *why = text;
  return e ? e->slot.m : NULL;
}

struct listed {
  struct hf_plugin_info info;
  uint32_t order;
};

static int by_kind(const void *x, const void *y) {
  const struct listed *a = x, *b = y;
  if (a->info.kind != b->info.kind) return a->info.kind < b->info.kind ? -1 : 1;
  int names = strcmp(a->info.name, b->info.name);
  return names ? names : (a->order > b->order) - (a->order < b->order);
}

static int by_priority(const void *x, const void *y) {
  const struct listed *a = x, *b = y;
  if (a->info.priority != b->info.priority) return a->info.priority > b->info.priority ? -1 : 1;
  return (a->order > b->order) - (a->order < b->order);
}

/* A copy of what there is, so that callbacks run without the lock. */
static void each(hf_runtime *rt, uint32_t kind, int (*order)(const void *, const void *),
                 int (*fn)(void *, const struct hf_plugin_info *), void *arg) {
  struct hf_registry *r = rt->registry;
  pthread_mutex_lock(&r->lock);
  scan(rt);
  uint32_t n = 0;
  for (struct entry *e = r->entries; e; e = e->next) n++;
  struct listed *list = hf_mem_alloc((n ? n : 1) * sizeof *list);
  n = 0;
  for (struct entry *e = r->entries; list && e; e = e->next)
    if (!kind || (e->info.kind == kind && !e->info.refused)) list[n] = (struct listed){e->info, n}, n++;
  leave(rt);
  if (!list) return;
  qsort(list, n, sizeof *list, order);
  for (uint32_t i = 0; i < n; i++)
    if (fn(arg, &list[i].info)) break;
  hf_mem_free(list);
}

void hf_module_each(hf_runtime *rt, uint32_t kind, int (*fn)(void *, const struct hf_plugin_info *), void *arg) {
  each(rt, kind, by_priority, fn, arg);
}

void hf_plugin_each(hf_runtime *rt, int (*fn)(void *, const struct hf_plugin_info *), void *arg) {
  each(rt, 0, by_kind, fn, arg);
}

hf_status hf_plugin_read(hf_runtime *rt, const char *file, int (*fn)(void *, const struct hf_plugin_info *), void *arg,
                         const char **why) {
  char real[4096];
  struct hf_facts f = {0};
  char *full = realpath(file, NULL);
  bool ok = full ? hf_path_trusted(full, real, f.why) : hf_refuse(f.why, "could not be opened: %s", strerror(errno));
  free(full);
  if (ok) {
    int fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ok = fd >= 0 ? hf_elf_read(fd, &f) : hf_refuse(f.why, "could not be opened: %s", strerror(errno));
    if (fd >= 0) close(fd);
  }
  struct hf_plugin_info info = {.struct_size = sizeof info,
                                .plugin = f.plugin,
                                .version = f.version,
                                .file = file,
                                .refused = ok ? NULL : f.why,
                                .commands = "",
                                .abi_major = f.abi_major,
                                .abi_minor = f.abi_minor,
                                .rule = f.rule};
  if (fn && !f.count) {
    info.name = file;
    fn(arg, &info);
  }
  for (uint32_t i = 0; fn && i < f.count; i++) {
    const struct hf_note_module *m = &f.modules[i];
    info.kind = m->kind, info.name = m->name, info.commands = m->commands;
    info.priority = m->priority, info.caps = m->caps;
    if (fn(arg, &info)) break;
  }
  if (!ok && why) {
    pthread_mutex_lock(&rt->registry->lock);
    *why = keep(rt->registry, f.why);
    pthread_mutex_unlock(&rt->registry->lock);
  }
  return ok ? HF_OK : HF_EABI;
}

/* ---- tasks ---- */

static const struct hf_task *row_named(const struct entry *e, const char *name) {
  struct hf_table t = ((const struct hf_tasks *)e->slot.m)->tasks;
  const struct hf_task *rows = t.rows;
  for (uint32_t i = 0; i < t.count; i++)
    if (strcmp(rows[i].name, name) == 0) return &rows[i];
  return NULL;
}

const struct hf_task *hf_task_find(hf_runtime *rt, const char *name) {
  struct hf_registry *r = rt->registry;
  const struct hf_task *row = NULL;
  pthread_mutex_lock(&r->lock);
  for (int files = 0; files < 2 && !row; files++) {
    if (files) scan(rt);
    for (struct entry *e = r->entries; e && !row; e = e->next)
      if (e->info.kind == HF_KIND_TASKS && (e->info.file != NULL) == files &&
          (!files || declared(e->info.commands, name)) && bind(r, e))
        row = row_named(e, name);
  }
  leave(rt);
  return row;
}

void hf_task_each(hf_runtime *rt, int (*fn)(void *, const struct hf_task *), void *arg) {
  struct hf_registry *r = rt->registry;
  pthread_mutex_lock(&r->lock);
  scan(rt);
  for (struct entry *e = r->entries; e; e = e->next)
    if (e->info.kind == HF_KIND_TASKS) bind(r, e);
  leave(rt);
  for (struct entry *e = r->entries; e; e = e->next) { /* the list does not change after the scan */
    if (!e->bound || e->info.kind != HF_KIND_TASKS) continue;
    struct hf_table t = ((const struct hf_tasks *)e->slot.m)->tasks;
    for (uint32_t i = 0; i < t.count; i++)
      if (fn(arg, (const struct hf_task *)t.rows + i)) return;
  }
}

struct hf_slot_module *hf_registry_pack(hf_runtime *rt, const struct hf_task *row) {
  struct hf_registry *r = rt->registry;
  struct hf_slot_module *found = NULL;
  pthread_mutex_lock(&r->lock);
  for (struct entry *e = r->entries; e && !found; e = e->next) {
    if (!e->bound || e->info.kind != HF_KIND_TASKS) continue;
    struct hf_table t = ((const struct hf_tasks *)e->slot.m)->tasks;
    const struct hf_task *rows = t.rows;
    if (row >= rows && row < rows + t.count) found = &e->slot;
  }
  pthread_mutex_unlock(&r->lock);
  return found;
}

struct hf_slot_module *hf_registry_runner(hf_runtime *rt) {
  struct hf_registry *r = rt->registry;
  struct hf_slot_module *found = NULL;
  pthread_mutex_lock(&r->lock);
  for (struct entry *e = r->entries; e && !found; e = e->next)
    if (e->info.kind == HF_KIND_TASKS && !e->info.file && bind(r, e) && ((const struct hf_tasks *)e->slot.m)->run_row)
      found = &e->slot;
  pthread_mutex_unlock(&r->lock);
  return found;
}

/* ---- life ---- */

hf_status hf_registry_open(hf_runtime *rt, const struct hf_runtime_opts *o, struct hf_registry **out) {
  struct hf_registry *r = hf_mem_alloc(sizeof *r);
  if (!r) return HF_ENOMEM;
  r->arena = hf_arena_new();
  if (!r->arena || pthread_mutex_init(&r->lock, NULL)) {
    hf_arena_free(r->arena);
    hf_mem_free(r);
    return HF_ENOMEM;
  }
  r->plugins_end = &r->plugins;
  r->entries_end = &r->entries;
  r->no_files = o && (o->flags & HF_RT_NO_PLUGINS);
  r->plugin_path = o && o->plugin_path ? keep(r, o->plugin_path) : NULL;
  r->libdir = rt->libdir;
  r->host = rt->host;
  hf_status st = add_statics(r, hf_builtin_plugins);
  if (st == HF_OK && o) st = add_statics(r, o->statics);
  if (st == HF_OK)
    *out = r;
  else
    hf_registry_close(r);
  return st;
}

void hf_registry_close(struct hf_registry *r) {
  if (!r) return;
  for (struct plugin *p = r->plugins; p; p = p->next)
    if (p->used) hf_load_drop(p->p);
  for (struct entry *e = r->entries; e; e = e->next) pthread_mutex_destroy(&e->slot.one);
  pthread_mutex_destroy(&r->lock);
  hf_arena_free(r->arena);
  hf_mem_free(r);
}
