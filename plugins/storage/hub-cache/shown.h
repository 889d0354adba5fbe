/* shown.h - which blobs the snapshots of one repo show, and whether that is still so.
 * Asked before bytes are removed, under the lock that everybody takes who shows them.
 * Private to plugins/storage/hub-cache. */
#ifndef HF_HUB_SHOWN_H
#define HF_HUB_SHOWN_H
#include "hub.h"

struct names {
  char **all;
  size_t count, room;
  bool failed; /* memory */
};
void hub_names_add(struct names *, const char *);
void hub_names_sort(struct names *);
bool hub_names_has(const struct names *, const char *);
void hub_names_free(struct names *);

struct shown {
  struct names names;    /* of blobs, sorted; more than are shown is harmless */
  struct stamp *folders; /* that were read */
  size_t folder_count;
  int64_t newest_ns; /* when the youngest folder was changed */
  bool read;
};
/* Brings it up to date; false: it cannot be known, so nothing may be removed. */
bool hub_shown_update(struct hub *, const char *folder, struct shown *);
void hub_shown_free(struct shown *);
/* Names of the blobs that one snapshot shows; false, errno: not all could be read. */
bool hub_shown_by(struct hub *, const char *folder, const char *commit, struct names *);
#endif
