/* publish.c - how bytes get into the cache: what is there already is shown, what is new is received,
 * flushed and renamed. A group is flushed once, then every blob gets its name, then every snapshot
 * its pointer: a power cut leaves files that nobody shows yet, never a name without its bytes. */
#include "hub.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static hf_status put_row(hf_call *c, struct hub *hub, const char *folder, const struct hf_ingest *in, uint64_t size,
                         hf_slot *slot) {
  char rel[HF_PATH_ROOM];
  TRY(hub_rel(c, hub, rel, "%s/snapshots/%s/%s", folder, in->name.commit, in->name.path));
  struct hf_st_file f = {.struct_size = sizeof f,
                         .path = hub_path(c, hub, rel),
                         .commit = in->name.commit,
                         .etag = in->etag,
                         .size = size};
  if (!f.path) return H->failf(c, HF_ENOMEM, "Out of memory while storing %s.", in->name.path);
  return H->put(slot, HF_PUT_FILE, &f, sizeof f);
}

/* A regular file of the promised size, reached without leaving the cache. */
static bool usable(struct hub *hub, const char *rel, uint64_t want, uint64_t *size) {
  struct stat st;
  int fd = hf_root_look_file(hub->root, rel, O_PATH, &st);
  if (fd < 0) return false;
  close(fd);
  *size = (uint64_t)st.st_size;
  return want == HF_SIZE_UNKNOWN || want == *size;
}

hf_status hub_adopt(hf_call *c, void *store, const struct hf_ingest *in, hf_slot *slot) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], rel[HF_PATH_ROOM], etag[HF_NAME_ROOM];
  uint64_t size = 0;
  TRY(hub_name_check(c, &in->name));
  TRY(hub_folder(c, &in->name.repo, folder));
  TRY(hf_etag_name(c, in->etag, etag));
  if (in->flags & HF_IN_FORCE) return H->failf(c, HF_ENOTFOUND, "%s is to be fetched again.", in->name.path);
  TRY(hub_rel(c, hub, rel, "%s/snapshots/%s/%s", folder, in->name.commit, in->name.path));
  if (usable(hub, rel, in->size, &size)) return put_row(c, hub, folder, in, size, slot);
  TRY(hub_rel(c, hub, rel, "%s/blobs/%s", folder, etag));
  if (!usable(hub, rel, in->size, &size)) {
    if (!in->xet_hash || in->size == HF_SIZE_UNKNOWN || !hub_shared_link(c, hub, folder, etag, in->xet_hash, in->size))
      return H->failf(c, HF_ENOTFOUND, "%s is not in the cache.", in->name.path);
    size = in->size;
  }
  hub_tag(hub);
  TRY(hub_point(c, hub, folder, in->name.commit, in->name.path, etag, false, NULL));
  return put_row(c, hub, folder, in, size, slot);
}

hf_status hub_ingest(hf_call *c, void *store, const struct hf_ingest *in, struct hf_sink **out) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], dir[HF_NAME_ROOM], etag[HF_NAME_ROOM];
  struct hf_part *p;
  TRY(hub_name_check(c, &in->name));
  TRY(hub_folder(c, &in->name.repo, folder));
  TRY(hf_etag_name(c, in->etag, etag));
  hf_format(dir, sizeof dir, ".locks/%s", folder);
  TRY(hf_part_open(c, &hub->leases, dir, etag, in, &p));
  memcpy(p->name, etag, sizeof p->name);
  hub_tag(hub);
  *out = &p->sink;
  return HF_OK;
}

/* The lock file that the reference client would have left for this blob. */
static void leave_lock(struct hub *hub, const struct hf_part *p) {
  char name[HF_NAME_ROOM + 8];
  struct hf_dir *d = p->lease ? NULL : hf_dir_get(hub->root, p->dir, false);
  if (!d) return;
  hf_format(name, sizeof name, "%s.lock", p->key);
  int fd = openat(d->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0664);
  if (fd >= 0) {
    (void)!fchmod(fd, 0664);
    close(fd);
  }
  hf_dir_put(hub->root, d);
}

static hf_status store_blob(hf_call *c, struct hub *hub, struct hf_part *p, const char *folder, bool *fresh,
                            struct hf_flush *flush) {
  char rel[HF_PATH_ROOM];
  uint64_t size;
  TRY(hub_rel(c, hub, rel, "%s/blobs/%s", folder, p->name));
  *fresh = (p->what.flags & HF_IN_FORCE) || !usable(hub, rel, p->size, &size);
  if (!*fresh) return HF_OK; /* another process stored the same content meanwhile */
  *strrchr(rel, '/') = 0;
  struct hf_dir *d = hf_dir_get(hub->root, rel, true);
  if (!d) return hf_root_fail(c, hub->root, errno, "create", rel);
  hf_status st = hf_part_move(c, p, d, p->name);
  hf_flush_dir(flush, d);
  return st;
}

static hf_status publish_one(hf_call *c, struct hub *hub, struct hf_part *p, struct hf_flush *flush) {
  char folder[HUB_FOLDER_ROOM];
  bool fresh = false, shared = false;
  TRY(hub_folder(c, &p->what.name.repo, folder));
  TRY(store_blob(c, hub, p, folder, &fresh, flush));
  leave_lock(hub, p);
  if (fresh && (p->what.flags & HF_IN_VIA_XET) && p->xet_hash)
    shared = hub_shared_publish(c, hub, folder, p->name, p->xet_hash, p->size, p->what.flags & HF_IN_FORCE);
  return hub_point(c, hub, folder, p->commit, p->path, p->name, fresh && !shared, flush);
}

hf_status hub_publish(hf_call *c, void *store, void *const *seals, uint32_t n, hf_slot *slot) {
  struct hub *hub = store;
  struct hf_part *const *parts = (struct hf_part *const *)seals;
  char folder[HUB_FOLDER_ROOM];
  struct hf_flush flush;
  hf_flush_begin(&flush, hub->root, hub->durable);
  hf_status st = hf_flush_parts(c, &flush, parts, n);
  for (uint32_t i = 0; i < n && st == HF_OK; i++) st = publish_one(c, hub, parts[i], &flush);
  hf_status end = hf_flush_end(c, &flush);
  if (st == HF_OK) st = end;
  for (uint32_t i = 0; i < n && st == HF_OK; i++) {
    st = hub_folder(c, &parts[i]->what.name.repo, folder);
    if (st == HF_OK) st = put_row(c, hub, folder, &parts[i]->what, parts[i]->size, slot);
  }
  for (uint32_t i = 0; i < n; i++) hf_part_end(parts[i], !parts[i]->moved && st != HF_OK);
  return st;
}

void hub_discard(void *store, void *seal) {
  (void)store;
  hf_part_end(seal, false);
}
