/* add.h - the parts of `hf-devhub add`: where contents go (a data folder or a running server), and where they come from.
 * Every file ends as one object of the commit document: {"path","sha256","lfs"}.
 * Whether a file is LFS is decided here, by pattern or size. */
#ifndef DEVHUB_ADD_H
#define DEVHUB_ADD_H
#include "commands.h"
#include "store.h"

struct destination {
  struct store *store; /* NULL: the client's server */
  struct client client;
};

struct addition {
  struct destination *to;
  json_t *files; /* of the commit document */
  const char **lfs_patterns;
  size_t lfs_count;
  uint64_t lfs_threshold;
  const char *prefix; /* folder in the repo, or NULL */
};

bool dh_add_file(struct addition *a, const char *path, int fd, uint64_t size);
bool dh_add_bytes(struct addition *a, const char *path, const void *data, size_t size);
bool dh_add_seed(struct addition *a, const char *path, uint64_t seed, uint64_t size);
bool dh_add_path(struct addition *a, const char *path);                        /* a file or a folder of this machine */
bool dh_add_generated(struct addition *a, const char *spec, const char *repo); /* --generate */
/* Sends the commit document; the commit's id, or false after a message. */
bool dh_add_commit(struct destination *to, json_t *document, char oid[41]);
#endif
