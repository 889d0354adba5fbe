/* The table that plugins get: one row per promise of hf/host.h, and which part of the core keeps it.
 * Const, and the same for every plugin and runtime of the process; what differs hangs on the call.
 * New members go to the end, here as there. */
#include "core.h"

static const struct hf_host table = {
    .struct_size = sizeof table,
    .abi_major = HF_ABI_MAJOR,
    .abi_minor = HF_ABI_MINOR,
    .version = HF_VERSION,
    .alloc = hf_mem_alloc,
    .resize = hf_mem_resize,
    .release = hf_mem_free,
    .fail = hf_call_fail,
    .failf = hf_call_failf,
    .error = hf_call_error,
    .clear = hf_call_clear,
    .check = hf_call_check,
    .on_cancel = hf_call_on_cancel,
    .off_cancel = hf_call_off_cancel,
    .emit = hf_call_emit,
    .log = hf_call_log,
    .option = hf_call_get_option,
    .arena = hf_call_arena,
    .intern = hf_call_intern,
    .now_ns = hf_now_ns,
    .backoff = hf_backoff,
    .buf_get = hf_buf_get,
    .buf_put = hf_buf_put,
    .parallel = hf_parallel,
    .jobs_open = hf_jobs_open,
    .spawn = hf_jobs_spawn,
    .jobs_join = hf_jobs_join,
    .http = hf_http,
    .digest_new = hf_digest_new,
    .digest_add = hf_digest_add,
    .digest_end = hf_digest_end,
    .put = hf_slot_put,
    .arg_str = hf_arg_str,
    .arg_count = hf_arg_count,
    .arg_int = hf_arg_int,
    .record = hf_record,
    .task = hf_task_call,
    .ask = hf_ask,
};

const struct hf_host *hf_host(void) {
  return &table;
}
