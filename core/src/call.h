/* call.h - what call.c, cancel.c, watch.c, op.c, work.c and profile.c know of each other beyond core.h: how a call is
 * made and shared, how cancelling travels down its branches, and who wakes a call that is blocked.
 * Private to these files. */
#ifndef HF_CALL_H
#define HF_CALL_H
#include <stdarg.h>

#include "core.h"

/* ---- call.c ---- */
/* The call of an operation (op NULL: of nobody). deadline_ns on the clock of hf_now_ns(), 0: none. NULL: out of memory. */
hf_call *hf_call_new(hf_runtime *, hf_op *, uint64_t deadline_ns);
hf_call *hf_call_ref(hf_call *);
void hf_call_unref(hf_call *);

/* ---- cancel.c ---- */
struct hf_cancel {
  _Atomic hf_status why; /* HF_OK, or why it was cancelled */
  _Atomic uint32_t refs;
  struct hf_cancel *parent, *root;
  /* under root->lock */
  struct hf_cancel *children, *next, *prev;
  hf_hook *hooks; /* not run yet */
  /* of the root only */
  pthread_mutex_t lock;
  pthread_cond_t ran; /* a hook has returned */
  _Atomic int asked, wake_fd;
  _Atomic uint64_t deadline_ns;
  struct hf_watcher *watcher;
  struct hf_cancel *watched_next, *watched_prev; /* under the watcher's lock */
  bool watched;
};
/* A root (parent NULL) or a branch, with one reference for the caller. */
struct hf_cancel *hf_cancel_new(struct hf_watcher *, struct hf_cancel *parent, uint64_t deadline_ns);
struct hf_cancel *hf_cancel_ref(struct hf_cancel *);
void hf_cancel_unref(struct hf_cancel *);
void hf_cancel_ask(struct hf_cancel *root);             /* async-signal-safe; hooks run on the watcher's thread */
void hf_cancel_fire(struct hf_cancel *, hf_status why); /* marks this and what is below, runs their hooks */
hf_status hf_cancel_why(struct hf_cancel *);            /* HF_OK, HF_ECANCELED or HF_ETIMEDOUT */
void hf_cancel_by(struct hf_cancel *root, uint64_t deadline_ns); /* unless there is an earlier deadline */

/* ---- watch.c ---- */
struct hf_watcher *hf_watcher_new(void);
void hf_watcher_free(struct hf_watcher *);
bool hf_watcher_add(struct hf_watcher *, struct hf_cancel *root); /* starts the thread; false: cannot */
void hf_watcher_remove(struct hf_watcher *, struct hf_cancel *root);

/* ---- profile.c ---- */
struct hf_profile *hf_profile_ref(struct hf_profile *);
void hf_profile_unref(struct hf_profile *);

/* ---- op.c ---- */
struct hf_ops *hf_ops_new(void);
void hf_ops_free(struct hf_ops *); /* ends those that nobody runs, waits for the others */

/* ---- log.c ---- */
void hf_log_va(hf_runtime *, int32_t level, const char *who, const char *format, va_list) HF_PRINTF(4, 0);

/* ---- work.c: a job that was queued and has not begun can be taken back ---- */
struct hf_job {
  void (*fn)(void *);
  void *arg;
  struct hf_job *next, *prev;
  bool queued, owned; /* owned: freed by the pool after it ran */
};
hf_status hf_work_add(struct hf_work *, struct hf_job *);
bool hf_work_take_back(struct hf_work *, struct hf_job *);
#endif
