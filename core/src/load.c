/* load.c - opens a plugin as code and holds its descriptor to the rules of hf/abi.h and hf/plugin.h.
 * One descriptor is checked, opened and, where the system allows it, given to dlopen: nothing can be swapped in between.
 * load() runs once per process; plugins stay mapped, and unload() comes when the last runtime that used one ends. */
#include "process.h"
#include "registry.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#ifndef RTLD_NODELETE
#define RTLD_NODELETE 0
#endif

enum { FILE_SIZE_MAX = 1 << 30 };

/* The loader compares names before it looks at files, and descriptor numbers come again: so each opening gets a spelling of
 * its own, "/proc/self/fd/././/N" with a number written in "/" and "./". */
static void spell(char *out, size_t len, int fd) {
  static _Atomic uint32_t serial;
  uint32_t n = atomic_fetch_add(&serial, 1) + 1;
  size_t at = (size_t)snprintf(out, len, "/proc/self/fd/");
  for (; n && at + 16 < len; n >>= 1) at += (size_t)snprintf(out + at, len - at, n & 1 ? "./" : "/");
  snprintf(out + at, len - at, "%d", fd);
}

static void *open_code(int fd, const char *path, const struct stat *st, char why[HF_WHY_MAX]) {
  char name[128];
  struct stat now;
  spell(name, sizeof name, fd);
  void *dl;
  if (stat(name, &now) == 0 && now.st_ino == st->st_ino && now.st_dev == st->st_dev) {
    dl = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  } else { /* no /proc: by path, and look whether it is still the same file */
    dl = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    struct hf_file_key a = hf_file_key(st), b = {0};
    if (dl && stat(path, &now) == 0) b = hf_file_key(&now);
    if (dl && memcmp(&a, &b, sizeof a) != 0) {
      hf_refuse(why, "changed while it was opened");
      return NULL;
    }
  }
  if (!dl) {
    const char *text = dlerror();
    size_t odd = strlen(name);
    if (text && strncmp(text, name, odd) == 0 && strncmp(text + odd, ": ", 2) == 0) text += odd + 2;
    hf_refuse(why, "could not be loaded: %.240s", text ? text : "unknown reason");
  }
  return dl;
}

const struct hf_plugin *hf_load_file(const char *path, struct hf_facts *facts, char why[HF_WHY_MAX]) {
  char real[4096];
  if (!hf_path_trusted(path, real, why)) return NULL;
  int fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    hf_refuse(why, "could not be opened: %s", strerror(errno));
    return NULL;
  }
  const struct hf_plugin *p = NULL;
  struct stat st;
  if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
    hf_refuse(why, "is not a regular file");
  } else if (st.st_size > FILE_SIZE_MAX) {
    hf_refuse(why, "is absurdly large");
  } else if (hf_stat_trusted(real, &st, why)) {
    void *dl = NULL;
    if (!hf_elf_read(fd, facts))
      memcpy(why, facts->why, HF_WHY_MAX);
    else
      dl = open_code(fd, real, &st, why);
    p = dl ? dlsym(dl, "hf_plugin_v1") : NULL;
    if (dl && !p) hf_refuse(why, "exports no hf_plugin_v1");
    if (p && !hf_load_check(p, facts, why)) p = NULL;
  }
  close(fd);
  return p;
}

/* ---- the descriptor ---- */

static bool check_against_note(const struct hf_plugin *p, const struct hf_facts *f, char why[HF_WHY_MAX]) {
  if (strcmp(p->name, f->plugin) != 0 || strncmp(p->version, f->version, sizeof f->version) != 0 ||
      p->abi_minor != f->abi_minor)
    return hf_refuse(why, "says other things in its note than in its descriptor (name, version or ABI)");
  if (p->module_count != f->count)
    return hf_refuse(why, "lists %u modules in its note and %u in its descriptor", f->count, p->module_count);
  for (uint32_t i = 0; i < f->count; i++) {
    const struct hf_note_module *n = NULL;
    const struct hf_module *m = p->modules[i];
    for (uint32_t j = 0; j < f->count && !n; j++)
      if (f->modules[j].kind == m->kind && strcmp(f->modules[j].name, m->name) == 0) n = &f->modules[j];
    if (!n) return hf_refuse(why, "does not list its module %.32s in its note", m->name);
    if (n->priority != m->priority) return hf_refuse(why, "gives %.32s another priority in its note", m->name);
    if (n->caps != m->caps) return hf_refuse(why, "gives %.32s other capabilities in its note", m->name);
  }
  return true;
}

static bool check_module(const struct hf_plugin *p, uint32_t i, char why[HF_WHY_MAX]) {
  const struct hf_module *m = p->modules[i];
  if (!m) return hf_refuse(why, "has an empty module pointer");
  if (!m->name || !hf_name_legal(m->name)) return hf_refuse(why, "has a module with an illegal name");
  if (!hf_kind_word(m->kind)) return hf_refuse(why, "has a module %s of unknown kind %u", m->name, m->kind);
  if (m->struct_size < sizeof *m || m->struct_size > HF_ROW_MAX)
    return hf_refuse(why, "has a module %s with an absurd struct_size %u", m->name, m->struct_size);
  if (!m->summary) return hf_refuse(why, "has a module %s without a summary", m->name);
  if (m->threads > HF_THREADS_ANY) return hf_refuse(why, "has a module %s with an unknown thread model", m->name);
  for (uint32_t j = 0; j < i; j++)
    if (p->modules[j]->kind == m->kind && strcmp(p->modules[j]->name, m->name) == 0)
      return hf_refuse(why, "has two modules %s of one kind", m->name);
  return true;
}

bool hf_load_check(const struct hf_plugin *p, const struct hf_facts *facts, char why[HF_WHY_MAX]) {
  if (p->magic != HF_ABI_MAGIC) return hf_refuse(why, "has a descriptor without the magic number: use HF_PLUGIN()");
  if (p->abi_major != HF_ABI_MAJOR)
    return hf_refuse(why, "speaks plugin ABI %u, this is %u", p->abi_major, HF_ABI_MAJOR);
  if (p->abi_print != HF_ABI_PRINT) return hf_refuse(why, "is built for another data model (%08x)", p->abi_print);
  if (p->struct_size < offsetof(struct hf_plugin, unload) + sizeof p->unload || p->struct_size > HF_ROW_MAX)
    return hf_refuse(why, "has a descriptor with an absurd struct_size %u", p->struct_size);
  if (p->min_host_minor > HF_ABI_MINOR)
    return hf_refuse(why, "needs plugin ABI %u.%u, this is %u.%u: upgrade libhf", HF_ABI_MAJOR, p->min_host_minor,
                     HF_ABI_MAJOR, HF_ABI_MINOR);
  if (!p->name || !hf_name_legal(p->name)) return hf_refuse(why, "has an illegal name");
  if (!p->version || !p->license || !p->summary)
    return hf_refuse(why, "has a descriptor without version, license or summary");
  if (!p->load) return hf_refuse(why, "has no load()");
  if (!p->modules || !p->module_count || p->module_count > HF_MODULES_MAX)
    return hf_refuse(why, "has an absurd number of modules (%u)", p->module_count);
  for (uint32_t i = 0; i < p->module_count; i++)
    if (!check_module(p, i, why)) return false;
  return !facts || check_against_note(p, facts, why);
}

/* ---- load(): once in the process ---- */

enum { FRESH, BUSY, READY, FAILED };
struct user {
  struct user *next;
  const struct hf_plugin *p;
  void *state;
  uint32_t users;
  int stage;
  hf_status st;
  pthread_t by;
};
static pthread_mutex_t users_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t users_change = PTHREAD_COND_INITIALIZER;
static struct user *users;

static struct user *user_of(const struct hf_plugin *p, bool make) {
  struct user *u = users;
  while (u && u->p != p) u = u->next;
  if (!u && make && (u = hf_mem_alloc(sizeof *u))) u->p = p, u->next = users, users = u;
  return u;
}

hf_status hf_load_use(const struct hf_plugin *p, const struct hf_host *host, void **state, char why[HF_WHY_MAX]) {
  pthread_mutex_lock(&users_lock);
  struct user *u = user_of(p, true);
  while (u && u->stage == BUSY && !pthread_equal(u->by, pthread_self())) pthread_cond_wait(&users_change, &users_lock);
  hf_status st = !u ? HF_ENOMEM : u->stage == BUSY ? HF_EINTERNAL : u->stage == FAILED ? u->st : HF_OK;
  if (u && u->stage == FRESH) {
    u->stage = BUSY, u->by = pthread_self();
    pthread_mutex_unlock(&users_lock);
    void *made = NULL;
    struct hf_process before;
    hf_process_keep(&before);
    hf_status got = p->load(host, &made);
    hf_process_back(&before);
    pthread_mutex_lock(&users_lock);
    u->st = st = got == HF_OK ? HF_OK : got < 0 ? got : HF_EABI;
    u->state = made;
    u->stage = st == HF_OK ? READY : FAILED;
    pthread_cond_broadcast(&users_change);
  }
  if (st == HF_OK) u->users++, *state = u->state;
  pthread_mutex_unlock(&users_lock);
  if (st != HF_OK) hf_refuse(why, "could not start: its load() answered %s", hf_status_name(st));
  return st;
}

void hf_load_drop(const struct hf_plugin *p) {
  pthread_mutex_lock(&users_lock);
  struct user *u = user_of(p, false);
  bool last = u && u->stage == READY && u->users && --u->users == 0;
  void *state = last ? u->state : NULL;
  if (last) u->stage = BUSY, u->by = pthread_self();
  pthread_mutex_unlock(&users_lock);
  if (!last) return;
  if (p->unload) {
    struct hf_process before;
    hf_process_keep(&before);
    p->unload(state);
    hf_process_back(&before);
  }
  pthread_mutex_lock(&users_lock);
  u->stage = FRESH;
  u->state = NULL;
  pthread_cond_broadcast(&users_change);
  pthread_mutex_unlock(&users_lock);
}
