/* download.h - the download half of the adapter.
 * A session is a struct xet_cas.
 * Called by adapter.c. */
#ifndef XET_DOWNLOAD_H
#define XET_DOWNLOAD_H
#include "plugin.h"
hf_status xet_download_open(hf_call *, const struct hf_tr_batch *, void **session);
hf_status xet_download_run(hf_call *, void *session, struct hf_tr_file *);
void xet_download_close(void *session);
#endif
