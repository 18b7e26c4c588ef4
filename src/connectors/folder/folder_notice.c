/* Lines about a long reading before the run. */
#include "connectors/folder/folder_notice.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/signals.h"
#include <inttypes.h>

enum { FIRST_MS = 2000, STEP_MS = 10000, PERCENT = 100 };

void folder_notice_begin(struct folder_notice *notice, const struct folder_table *table,
                         uint32_t file_begin, uint32_t file_end, struct arena *arena)
{
    bool single = file_end - file_begin == 1;
    const char *place = single ? folder_file_path(arena, table, file_begin) : table->folder;
    *notice = (struct folder_notice){.place = place};
    for (uint32_t file = file_begin; file < file_end; file++) {
        notice->total += table->files[file].bytes;
    }
    atomic_store(&notice->next_ms, clock_monotonic_ms() + FIRST_MS);
}

static void folder_notice_tell(const struct folder_notice *notice, uint64_t done)
{
    /* what is read twice counts twice */
    uint64_t percent = done < notice->total
                           ? (uint64_t)((double)done * PERCENT / (double)notice->total)
                           : PERCENT - 1;
    log_write(LOG_INFO, "reading %s: %" PRIu64 " %%", notice->place, percent);
}

enum status folder_notice_add(struct folder_notice *notice, uint64_t bytes, struct error *error)
{
    if (signals_stop_level() > 0) {
        return error_set(error, ERROR_INTERRUPTED, notice->place,
                         "stopped while all records were read for their types");
    }
    if (failpoint_hit("files.first_reading", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t done = atomic_fetch_add(&notice->done, bytes) + bytes;
    int64_t now_ms = clock_monotonic_ms();
    int64_t next_ms = atomic_load(&notice->next_ms);
    if (notice->place != NULL && now_ms >= next_ms &&
        atomic_compare_exchange_strong(&notice->next_ms, &next_ms, now_ms + STEP_MS)) {
        folder_notice_tell(notice, done);
    }
    return STATUS_OK;
}
