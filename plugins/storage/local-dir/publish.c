/* publish.c - how files get into a folder: what lies there and is right is kept, everything else is
 * replaced by rename. The old metadata goes before the new file comes and the new one follows it, so they
 * never speak of other bytes. A file without metadata is hashed and kept when it is what the Hub has. */
#include "local.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define HASH_BLOCK (1u << 18)

hf_status local_put_row(hf_call *c, struct local *l, const char *path, const char *commit, const char *etag,
                        uint64_t size, hf_slot *slot) {
  char full[2 * HF_PATH_ROOM];
  hf_format(full, sizeof full, "%s/%s", l->root->path, path);
  struct hf_st_file f = {.struct_size = sizeof f, .commit = commit, .etag = etag, .size = size};
  f.path = H->intern(c, full, SIZE_MAX);
  if (!f.path) return H->failf(c, HF_ENOMEM, "Out of memory while looking at %s.", path);
  return H->put(slot, HF_PUT_FILE, &f, sizeof f);
}

/* The etag of a file on the Hub is the SHA-256 of its bytes, or the hash of its git blob. */
static hf_status has_content(hf_call *c, struct local *l, const char *path, uint64_t size, const char *etag,
                             bool *same) {
  uint32_t algo = hf_hex_is(etag, 64) ? HF_DIGEST_SHA256 : hf_hex_is(etag, 40) ? HF_DIGEST_GIT_BLOB : HF_DIGEST_NONE;
  hf_digester *d;
  struct hf_digest is = {0};
  char hex[65];
  struct hf_buf buf;
  *same = false;
  if (algo == HF_DIGEST_NONE) return HF_OK;
  int fd = local_open(l, path);
  if (fd < 0) return HF_OK;
  hf_status st = H->buf_get(c, HASH_BLOCK, &buf);
  if (st == HF_OK) {
    st = H->digest_new(c, algo, size, &d);
    for (ssize_t n = 1; st == HF_OK && n > 0;) {
      n = read(fd, buf.data, buf.len);
      if (n > 0) H->digest_add(d, buf.data, (size_t)n);
      if (n < 0 && errno == EINTR) n = 1;
      st = n < 0 ? hf_root_fail(c, l->root, errno, "read", path) : H->check(c);
      if (st != HF_OK || n == 0) H->digest_end(d, &is);
    }
    H->buf_put(&buf);
  }
  close(fd);
  TRY(st);
  hf_hex_write(hex, is.bytes, is.len <= 32 ? is.len : 32);
  *same = !strcmp(hex, etag);
  return HF_OK;
}

hf_status local_adopt(hf_call *c, void *store, const struct hf_ingest *in, hf_slot *slot) {
  struct local *l = store;
  struct local_meta m;
  struct stat st;
  const char *path = in->name.path;
  TRY(local_path_check(c, path));
  if (in->flags & HF_IN_FORCE) return H->failf(c, HF_ENOTFOUND, "%s is to be fetched again.", path);
  if (!in->etag || !local_stat(l, path, &st)) return H->failf(c, HF_ENOTFOUND, "%s is not in the folder.", path);
  bool known = local_meta_read(c, l, path, &st, &m);
  bool same = known && !strcmp(m.etag, in->etag);
  if (!known && (in->size == HF_SIZE_UNKNOWN || in->size == (uint64_t)st.st_size))
    TRY(has_content(c, l, path, (uint64_t)st.st_size, in->etag, &same));
  if (!same) return H->failf(c, HF_ENOTFOUND, "%s in the folder is another version.", path);
  local_prepare(l);
  int lock = local_lock(c, l, path);
  hf_status status = local_meta_write(c, l, path, in->name.commit, in->etag);
  if (lock >= 0) close(lock);
  TRY(status);
  return local_put_row(c, l, path, in->name.commit, in->etag, (uint64_t)st.st_size, slot);
}

hf_status local_ingest(hf_call *c, void *store, const struct hf_ingest *in, struct hf_sink **out) {
  struct local *l = store;
  char key[HF_NAME_ROOM];
  struct hf_part *p;
  TRY(local_path_check(c, in->name.path));
  TRY(hf_etag_name(c, in->etag ? in->etag : in->name.path, key));
  local_prepare(l);
  TRY(hf_part_open(c, &l->leases, LOCAL_PARTS, key, in, &p));
  *out = &p->sink;
  return HF_OK;
}

static hf_status publish_one(hf_call *c, struct local *l, struct hf_part *p, struct hf_flush *flush) {
  char dir[HF_PATH_ROOM];
  const char *name = strrchr(p->path, '/');
  hf_format(dir, sizeof dir, "%.*s", name ? (int)(name - p->path) : 0, p->path);
  struct hf_dir *d = hf_dir_get(l->root, dir, true);
  if (!d && errno == ENOENT) {
    hf_root_forget(l->root);
    d = hf_dir_get(l->root, dir, true);
  }
  if (!d) return hf_root_fail(c, l->root, errno, "create the folder of", p->path);
  int lock = local_lock(c, l, p->path);
  local_meta_drop(c, l, p->path);
  hf_status st = hf_part_move(c, p, d, name ? name + 1 : p->path);
  if (st == HF_OK && p->etag) st = local_meta_write(c, l, p->path, p->commit, p->etag);
  if (lock >= 0) close(lock);
  hf_flush_dir(flush, d);
  return st;
}

hf_status local_publish(hf_call *c, void *store, void *const *seals, uint32_t n, hf_slot *slot) {
  struct local *l = store;
  struct hf_part *const *parts = (struct hf_part *const *)seals;
  struct hf_flush flush;
  hf_flush_begin(&flush, l->root, l->durable);
  hf_status st = hf_flush_parts(c, &flush, parts, n);
  for (uint32_t i = 0; i < n && st == HF_OK; i++) st = publish_one(c, l, parts[i], &flush);
  hf_status end = hf_flush_end(c, &flush);
  if (st == HF_OK) st = end;
  for (uint32_t i = 0; i < n && st == HF_OK; i++)
    st = local_put_row(c, l, parts[i]->path, parts[i]->commit, parts[i]->etag, parts[i]->size, slot);
  for (uint32_t i = 0; i < n; i++) hf_part_end(parts[i], !parts[i]->moved && st != HF_OK);
  return st;
}

void local_discard(void *store, void *seal) {
  (void)store;
  hf_part_end(seal, false);
}
