/* cp.c - hf cp: one file from here to a repo or bucket, from there to here, or files between them, and "-" for stdin or stdout.
 * A download goes beside its destination first and is moved there when it is whole; what comes from stdin is kept in a file without
 * a name until it is sent, what goes to stdout is not kept.
 * Copies between repos are one commit: large files by their hash, small ones written again. */
#include "buckets_sync.h"
#include "commit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct cp {
  struct hf_hub *hub;
  hf_out *out;
  const char *src, *dst;
  struct hf_hub_uri from, to; /* of those that are addresses */
};

static hf_status usage(hf_call *c, const char *text) {
  return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value: %s", text);
}

static bool ends_with_slash(const char *text) {
  size_t n = strlen(text);
  return n && text[n - 1] == '/';
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static bool is_bucket(const struct hf_hub_uri *u) {
  return u->type && !strcmp(u->type, "bucket");
}

/* "hf://models/ns/name@rev/path" */
static const char *address(hf_call *c, const struct hf_hub_uri *u, const char *path) {
  const char *rev = "";
  if (u->revision) {
    bool special = !strncmp(u->revision, "refs/pr/", 8) || !strncmp(u->revision, "refs/convert/", 13);
    const char *quoted = special ? u->revision : hf_hub_text(c, "%s", u->revision);
    for (const char *slash; !special && quoted && (slash = strchr(quoted, '/'));)
      quoted = hf_hub_text(c, "%.*s%%2F%s", (int)(slash - quoted), quoted, slash + 1);
    rev = quoted ? hf_hub_text(c, "@%s", quoted) : NULL;
  }
  return rev ? hf_hub_text(c, "hf://%ss/%s%s%s%s", u->type, u->id, rev, *path ? "/" : "", path) : NULL;
}

static hf_status tell(struct cp *p, const char *what, const char *src, const char *dst) {
  hf_call *c = p->hub->call;
  TRY(hf_hub_say(p->out, c, HF_OUT_MESSAGE, what));
  return hf_hub_record(p->out, c, HF_OUT_RESULT, json_pack("{s:s, s:s}", "src", src, "dst", dst));
}

/* ---- to here ------------------------------------------------------------------------------------------------------------ */

static int drop(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)st, (void)type, (void)at;
  return remove(path) != 0 && errno != ENOENT ? -1 : 0;
}

static hf_status source_name(struct cp *p, const char **name) {
  if (!*p->from.path || ends_with_slash(p->src))
    return usage(p->hub->call,
                 "Source path must include a file name, not just a repo/bucket or directory path. Use `hf download` or "
                 "`hf buckets sync` to copy directories.");
  *name = base_name(p->from.path);
  return HF_OK;
}

/* Into a fresh folder below `parent`; *path is where the file is. */
static hf_status fetch(struct cp *p, const char *parent, char *folder, const char **path) {
  hf_call *c = p->hub->call;
  if (snprintf(folder, 4096, "%s/.tmpXXXXXX", parent) >= 4096 || !mkdtemp(folder))
    return hf_hub_fail(c, HF_EIO, NULL, "No folder can be made in '%s': %s.", parent, strerror(errno));
  struct hf_hub_want w = {.repo = {p->from.type, p->from.id},
                          .revision = p->from.revision ? p->from.revision : "main",
                          .local_dir = folder};
  return hf_hub_file(p->hub, &w, p->from.path, path, NULL);
}

hf_status hf_hub_folders_above(hf_call *c, const char *path) {
  char part[4096];
  for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
    if ((size_t)(at - path) >= sizeof part) return usage(c, "The destination path is too long.");
    memcpy(part, path, (size_t)(at - path));
    part[at - path] = 0;
    if (mkdir(part, 0777) != 0 && errno != EEXIST)
      return hf_hub_fail(c, HF_EIO, NULL, "The folder '%s' cannot be made: %s.", part, strerror(errno));
  }
  return HF_OK;
}

static hf_status to_file(struct cp *p) {
  hf_call *c = p->hub->call;
  char folder[4096] = "";
  struct stat st;
  const char *name, *path, *local = p->dst;
  TRY(source_name(p, &name));
  if (!local)
    local = name;
  else if (ends_with_slash(local) || (stat(local, &st) == 0 && S_ISDIR(st.st_mode)))
    local = hf_hub_text(c, "%s%s%s", local, ends_with_slash(local) ? "" : "/", name);
  if (local && is_bucket(&p->from)) {
    TRY(hf_hub_bucket_fetch(p->hub, p->from.id, &(struct hf_bucket_item){.path = p->from.path, .local = local}, 1));
    return tell(p, "Downloaded", p->src, local);
  }
  const char *beside = local ? hf_hub_place_beside(c, local) : NULL, *slash = beside ? strrchr(beside, '/') : NULL;
  const char *parent = !beside           ? NULL
                       : !slash          ? "."
                       : slash == beside ? "/"
                                         : hf_host()->intern(c, beside, (size_t)(slash - beside));
  if (!parent) return HF_ENOMEM;
  TRY(hf_hub_folders_above(c, local));
  hf_status done = fetch(p, parent, folder, &path);
  int err = done == HF_OK ? hf_hub_place(path, local) : 0;
  if (err) done = hf_hub_fail(c, HF_EIO, NULL, "'%s' cannot be put in place: %s.", local, strerror(err));
  if (*folder) nftw(folder, drop, 16, FTW_DEPTH | FTW_PHYS);
  TRY(done);
  return tell(p, "Downloaded", p->src, local);
}

/* While they arrive, as `hf download --stdout` does. */
static hf_status to_stdout(struct cp *p) {
  const char *name, *path;
  TRY(source_name(p, &name));
  if (is_bucket(&p->from))
    return hf_hub_bucket_pipe(p->hub, p->from.id, &(struct hf_bucket_item){.path = p->from.path}, p->out);
  struct hf_hub_want w = {
      .repo = {p->from.type, p->from.id}, .revision = p->from.revision ? p->from.revision : "main", .pipe = p->out};
  TRY(hf_hub_file(p->hub, &w, p->from.path, &path, NULL));
  return path ? hf_hub_copy_out(p->hub->call, p->out, path) : HF_OK; /* it was at hand */
}

/* ---- from here ---------------------------------------------------------------------------------------------------------- */

static hf_status read_spool(void *arg, void *buf, size_t len, uint64_t off, size_t *got) {
  ssize_t n = pread(*(int *)arg, buf, len, (off_t)off);
  *got = n > 0 ? (size_t)n : 0;
  return n < 0 ? HF_EIO : HF_OK;
}

static hf_status spool_stdin(hf_call *c, int *fd, uint64_t *size) {
  const char *tmp = getenv("TMPDIR");
  char path[4096], block[65536];
  snprintf(path, sizeof path, "%s/hf-stdin-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  *fd = mkostemp(path, O_CLOEXEC);
  if (*fd < 0) return hf_hub_fail(c, HF_EIO, NULL, "No file can be made in '%s': %s.", path, strerror(errno));
  unlink(path);
  *size = 0;
  for (;;) {
    TRY(hf_host()->check(c));
    ssize_t n = read(STDIN_FILENO, block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hf_hub_fail(c, HF_EIO, NULL, "stdin cannot be read: %s.", strerror(errno));
    if (!n) return HF_OK;
    for (ssize_t at = 0, w; at < n; at += w)
      if ((w = write(*fd, block + at, (size_t)(n - at))) <= 0)
        return hf_hub_fail(c, errno == ENOSPC ? HF_ENOSPACE : HF_EIO, NULL, "stdin cannot be kept in %s: %s.",
                           tmp && *tmp ? tmp : "/tmp", strerror(errno));
    *size += (uint64_t)n;
  }
}

static hf_status commit(struct cp *p, struct hf_hub_commit *k, const char *target) {
  hf_call *c = p->hub->call;
  k->hub = p->hub;
  k->repo = (struct hf_repo){p->to.type, p->to.id};
  k->revision = p->to.revision ? p->to.revision : "main";
  if (!k->message) k->message = hf_hub_text(c, "Upload %s with huggingface_hub", target);
  TRY(hf_hub_commit_check(k));
  return hf_hub_commit_run(k);
}

static hf_status put_spool(struct cp *p, int fd, uint64_t size) {
  void *data = size ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
  if (data == MAP_FAILED)
    return hf_hub_fail(p->hub->call, HF_EIO, NULL, "What came from stdin cannot be read again: %s.", strerror(errno));
  hf_status st = hf_hub_bucket_put(
      p->hub, p->to.id, &(struct hf_bucket_item){.path = p->to.path, .data = size ? data : "", .size = (int64_t)size});
  if (data) munmap(data, (size_t)size);
  return st;
}

static hf_status from_stdin(struct cp *p) {
  hf_call *c = p->hub->call;
  struct hf_hub_commit k = {0};
  const char *target;
  int fd = -1;
  uint64_t size = 0;
  if (!*p->to.path || ends_with_slash(p->dst))
    return usage(c, "Stdin upload requires a full destination path including filename.");
  TRY(hf_hub_check_target(c, p->to.path, &target));
  hf_status st = spool_stdin(c, &fd, &size);
  bool bucket = is_bucket(&p->to);
  if (st == HF_OK && bucket) st = put_spool(p, fd, size);
  struct hf_hub_op *op = st == HF_OK && !bucket ? hf_hub_op_new(c, &k.ops, HF_OP_ADD) : NULL;
  if (op) {
    op->path = target;
    op->read = read_spool;
    op->arg = &fd;
    op->stamp.size = size;
    st = commit(p, &k, target);
  }
  hf_hub_ops_free(&k.ops);
  if (fd >= 0) close(fd);
  TRY(st);
  return tell(p, "Uploaded", "stdin", address(c, &p->to, p->to.path));
}

static hf_status from_file(struct cp *p) {
  hf_call *c = p->hub->call;
  struct hf_hub_commit k = {0};
  struct stat st;
  bool there = stat(p->src, &st) == 0;
  if (there && S_ISDIR(st.st_mode))
    return usage(c, "Source must be a file, not a directory. Use `hf upload` or `hf buckets sync` for directories.");
  const char *problem = hf_hub_text(c, "Source file not found: %s", p->src), *target = p->to.path;
  if (!there || !S_ISREG(st.st_mode)) return problem ? usage(c, problem) : HF_ENOMEM;
  if (!*target)
    target = base_name(p->src);
  else if (ends_with_slash(p->dst))
    target = hf_hub_text(c, "%s/%s", target, base_name(p->src));
  if (!target) return HF_ENOMEM;
  hf_status done;
  if (is_bucket(&p->to)) {
    done = hf_hub_bucket_put(p->hub, p->to.id, &(struct hf_bucket_item){.path = target, .local = p->src});
  } else {
    done = hf_hub_add_file(c, &k.ops, target, p->src);
    if (done == HF_OK) done = commit(p, &k, target);
  }
  hf_hub_ops_free(&k.ops);
  TRY(done);
  return tell(p, "Uploaded", p->src, address(c, &p->to, target));
}

/* ---- from repo to repo ---------------------------------------------------------------------------------------------------- */

enum kind { NOTHING, A_FILE, A_FOLDER };

struct looking {
  const char *path;
  enum kind kind;
};

static hf_status on_look(void *arg, json_t *entry) {
  struct looking *l = arg;
  const char *path = hf_hub_get(entry, "path"), *type = hf_hub_get(entry, "type");
  if (path && type && !strcmp(path, l->path)) l->kind = !strcmp(type, "directory") ? A_FOLDER : A_FILE;
  return HF_OK;
}

static hf_status look(struct cp *p, const struct hf_hub_uri *u, enum kind *kind) {
  const struct hf_repo repo = {u->type, u->id};
  struct looking l = {u->path, NOTHING};
  TRY(hf_hub_paths(p->hub, &repo, u->revision ? u->revision : "main", &u->path, 1, on_look, &l));
  *kind = l.kind;
  return HF_OK;
}

struct copying {
  struct cp *p;
  struct hf_hub_ops ops;
  bool folder, exists, merge, same; /* destination: a folder, one that is there; source: only its content; one repo */
};

static hf_status on_first(void *arg, json_t *item) {
  (void)item;
  *(bool *)arg = true;
  return HF_PENDING;
}

static hf_status destination(struct copying *g) {
  struct cp *p = g->p;
  const struct hf_repo repo = {p->to.type, p->to.id};
  enum kind kind = A_FOLDER;
  g->folder = g->exists = true;
  if (!*p->to.path) return HF_OK;
  TRY(look(p, &p->to, &kind));
  g->folder = g->exists = kind == A_FOLDER;
  if (kind != NOTHING) return HF_OK;
  hf_status st = hf_hub_tree(p->hub, &repo, p->to.revision, p->to.path, false, false, on_first, &g->exists);
  if (st != HF_OK && hf_hub_error_is(hf_host()->error(p->hub->call), "RemoteEntryNotFoundError")) {
    hf_host()->clear(p->hub->call);
    st = HF_OK;
  }
  g->folder = g->exists || ends_with_slash(p->dst);
  return st;
}

static hf_status add(struct copying *g, const char *path, const char *root) {
  struct cp *p = g->p;
  hf_call *c = p->hub->call;
  const char *to = p->to.path, *rel = path;
  struct hf_hub_copy copy = {.path = path,
                             .revision = p->from.revision,
                             .repo_id = g->same ? NULL : p->from.id,
                             .repo_type = g->same ? NULL : p->from.type};
  size_t n = root ? strlen(root) : 0;
  if (!root) { /* one file */
    rel = base_name(path);
    const char *target = !*to ? rel : g->folder ? hf_hub_text(c, "%s/%s", to, rel) : to;
    return target ? hf_hub_add_copy(c, &g->ops, target, &copy) : HF_ENOMEM;
  }
  if (n && strncmp(path, root, n)) return HF_OK;
  if (n) rel = path[n] == '/' ? path + n + 1 : base_name(path);
  const char *nest = g->exists && n && !g->merge ? base_name(root) : NULL;
  const char *target = nest ? hf_hub_text(c, "%s%s%s/%s", to, *to ? "/" : "", nest, rel)
                            : hf_hub_text(c, "%s%s%s", to, *to ? "/" : "", rel);
  return target ? hf_hub_add_copy(c, &g->ops, target, &copy) : HF_ENOMEM;
}

static hf_status on_source(void *arg, json_t *item) {
  struct copying *g = arg;
  const char *type = hf_hub_get(item, "type"), *path = hf_hub_get(item, "path");
  return type && path && !strcmp(type, "file") ? add(g, path, g->p->from.path) : HF_OK;
}

static hf_status between(struct cp *p) {
  hf_call *c = p->hub->call;
  struct copying g = {.p = p, .merge = ends_with_slash(p->src)};
  const struct hf_repo source = {p->from.type, p->from.id};
  enum kind kind = A_FOLDER;
  g.same = !strcmp(p->from.id, p->to.id) && !strcmp(p->from.type, p->to.type);
  hf_status st = destination(&g);
  if (st == HF_OK && *p->from.path) st = look(p, &p->from, &kind);
  if (st == HF_OK && kind == A_FILE)
    st = add(&g, p->from.path, NULL);
  else if (st == HF_OK)
    st = hf_hub_tree(p->hub, &source, p->from.revision, p->from.path, true, false, on_source, &g);
  if (st == HF_OK && !g.ops.count)
    st = hf_hub_fail(c, HF_ENOTFOUND, "EntryNotFoundError", "No files found at '%s' in %s '%s'.", p->src, source.type,
                     source.id);
  struct hf_hub_commit k = {.ops = g.ops, .message = hf_hub_text(c, "Copy files from %ss/%s", source.type, source.id)};
  if (st == HF_OK) st = k.message ? commit(p, &k, NULL) : HF_ENOMEM;
  hf_hub_ops_free(&k.ops);
  TRY(st);
  return tell(p, "Copied", p->src, p->dst);
}

/* ---- the command ------------------------------------------------------------------------------------------------------------ */

enum only { ANYTHING, REPOS, BUCKETS };

/* `hf repos cp` and `hf buckets cp` are for the one kind each. */
static hf_status check_kind(struct cp *p, enum only only) {
  const struct hf_hub_uri *remote = p->to.type ? &p->to : &p->from;
  if (only == ANYTHING || !remote->type || is_bucket(remote) == (only == BUCKETS)) return HF_OK;
  return hf_hub_refuse(p->hub->call, "%s",
                       only == REPOS
                           ? "`hf repos cp` only works with repositories. Use `hf cp` or `hf buckets cp` for buckets."
                           : "`hf buckets cp` only works with buckets. Use `hf cp` or `hf repos cp` for repositories.");
}

static hf_status copy(hf_call *c, const hf_args *args, hf_out *out, enum only only) {
  struct hf_hub hub;
  struct cp p = {.hub = &hub, .out = out};
  bool from, to;
  TRY(hf_hub_begin(&hub, c, out, hf_host()->arg_str(args, "token", 0), NULL, false));
  p.src = hf_host()->arg_str(args, "src", 0);
  p.dst = hf_host()->arg_str(args, "dst", 0);
  TRY(hf_hub_try_uri(c, p.src, &p.from, &from));
  TRY(hf_hub_try_uri(c, p.dst, &p.to, &to));
  TRY(check_kind(&p, only));
  if (from && p.dst && !strncmp(p.dst, "hf://", 5)) TRY(hf_hub_parse_uri(c, p.dst, &p.to)); /* never a folder "hf:" */
  if (!from && !to)
    return usage(c, p.dst ? "One of SRC or DST must be a repo (hf://username/...) or bucket (hf://buckets/...) URI."
                          : "Missing destination. Provide a repo or bucket hf:// URI as DST.");
  if (p.from.type && p.to.type && !strcmp(p.from.type, "bucket") && strcmp(p.to.type, "bucket"))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "Bucket-to-repo copy is not supported.");
  if (from && to && is_bucket(&p.to)) {
    TRY(hf_hub_bucket_copy(&hub, p.src, p.dst, &p.from, &p.to));
    return tell(&p, "Copied", p.src, p.dst);
  }
  if (from && to) return between(&p);
  if (from) return p.dst && !strcmp(p.dst, "-") ? to_stdout(&p) : to_file(&p);
  return !strcmp(p.src, "-") ? from_stdin(&p) : from_file(&p);
}

static hf_status run_cp(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return copy(c, args, out, ANYTHING);
}

static hf_status run_repos_cp(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return copy(c, args, out, REPOS);
}

static hf_status run_buckets_cp(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return copy(c, args, out, BUCKETS);
}

static const struct hf_param params[] = {
    {.name = "src",
     .help = "Source: a local file, an hf:// address, or - for stdin.",
     .value_name = "SRC",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
    {.name = "dst",
     .help = "Destination: a local path, an hf:// address, or - for stdout.",
     .value_name = "DST",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL},
    {.name = "token",
     .help = "User access token to use instead of the saved one.",
     .type = HF_P_STR,
     .flags = HF_PF_SECRET},
};

static const struct hf_route routes[] = {
    {.method = "POST", .path = "/api/{repo_type}s/{repo_id}/paths-info/{revision}", .body = "paths expand"},
    {.method = "GET",
     .path = "/api/{repo_type}s/{repo_id}/tree/{revision}/{path}",
     .query = "recursive expand",
     .paging = HF_PAGE_LINK},
    {.method = "POST", .path = "/api/{repo_type}s/{repo_id}/commit/{revision}", .tries = 1},
};

#define CP_EXAMPLES(command)                                                   \
  "hf " command " hf://username/my-model/config.json config.json\nhf " command \
  " hf://datasets/username/my-dataset/data.csv data/\nhf " command             \
  " hf://username/my-model/config.json -\nhf " command                         \
  " model.safetensors hf://username/my-model/model.safetensors\nhf " command   \
  " - hf://username/my-model/config.json\nhf " command " hf://username/source-model/ hf://username/dest-model/"

#define BUCKET_EXAMPLES                                                          \
  "hf buckets cp hf://buckets/username/my-bucket/data.csv data/\nhf buckets cp " \
  "model.safetensors hf://buckets/username/my-bucket/model.safetensors"

#define CP_ROW(name_, examples_, run_, api_)                                                                       \
  {                                                                                                                \
    .name = name_, .summary = "Copy files between this machine, repos and buckets.",                               \
    .help =                                                                                                        \
        "A source folder with a slash at its end means its content. Large files are copied between repos without " \
        "being downloaded.",                                                                                       \
    .examples = examples_, .params = HF_TABLE(params), .routes = routes, .route_count = HF_COUNT(routes),          \
    .flags = HF_TK_NETWORK | HF_TK_WRITES | HF_TK_COMPOSES, .run = run_, .api = api_                               \
  }

static const struct hf_task rows[] = {CP_ROW("cp", CP_EXAMPLES("cp"), run_cp, "copy_files"),
                                      CP_ROW("repos.cp", CP_EXAMPLES("repos cp"), run_repos_cp, NULL),
                                      CP_ROW("buckets.cp", BUCKET_EXAMPLES, run_buckets_cp, NULL)};

const struct hf_tasks hf_hub_tasks_cp = HF_HUB_TASKS("hub-cp", "Copy files", HF_TABLE(rows));
