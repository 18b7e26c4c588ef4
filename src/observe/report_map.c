/* The chunks as a grid of cells; where there are too many, a cell stands for several. */
#include "observe/report_parts.h"

#include <inttypes.h>

enum { CELLS_MAX = 1200, COLUMNS_MAX = 60, CELL = 10, SHADES = 5, CELL_PIXELS_MAX = 20 };

struct cell_sum {
    uint64_t first; /* chunk, from 0 */
    uint64_t count;
    uint64_t done;
    uint64_t again;
    uint64_t rejected;
    uint64_t written;
    double seconds;
};

static struct cell_sum sum_cell(const struct report *report, uint64_t first, uint64_t count)
{
    struct cell_sum sum = {.first = first, .count = count};
    for (uint64_t i = first; i < first + count; i++) {
        const struct report_chunk *chunk = &report->chunks[i];
        sum.done += chunk->attempt > 0;
        sum.again += report_chunk_tries(chunk) > 1;
        sum.rejected += chunk->rejected;
        sum.written += chunk->written;
        sum.seconds += chunk->seconds;
    }
    return sum;
}

/* Shades go by powers of four around the mean. */
static int shade_of(const struct cell_sum *sum, double mean)
{
    double part = mean > 0 ? sum->seconds / (double)sum->count / mean : 0;
    return part < 0.25 ? 0 : part < 0.75 ? 1 : part < 1.5 ? 2 : part < 4 ? 3 : 4;
}

static void append_title(const struct report *report, const struct cell_sum *sum,
                         struct buffer *out)
{
    buffer_append_string(out, "<title>");
    if (sum->count == 1) {
        buffer_format(out, "chunk %" PRIu64, sum->first + 1);
    } else {
        buffer_format(out, "chunks %" PRIu64 "–%" PRIu64, sum->first + 1, sum->first + sum->count);
    }
    buffer_append_string(out, " of ");
    report_html(out, report_stream_of(report, sum->first)->name);
    if (sum->done < sum->count) {
        buffer_format(out, ", %" PRIu64 " not done", sum->count - sum->done);
    }
    if (sum->done > 0) {
        buffer_append_string(out, ": ");
        report_append_count(out, sum->written);
        buffer_append_string(out, " written, ");
        report_append_seconds(out, sum->seconds);
    }
    if (sum->again > 0) {
        buffer_format(out, ", %" PRIu64 " tried again", sum->again);
    }
    if (sum->rejected > 0) {
        buffer_format(out, ", %" PRIu64 " rejected", sum->rejected);
    }
    buffer_append_string(out, "</title>");
}

static void append_cell(const struct report *report, const struct cell_sum *sum, double mean,
                        uint32_t place, uint32_t columns, struct buffer *out)
{
    buffer_append_string(out, "<rect class=\"");
    if (sum->done < sum->count) {
        buffer_append_string(out, sum->done == 0 ? "open" : "part");
    } else {
        buffer_format(out, "s%d", shade_of(sum, mean));
    }
    buffer_format(out, "%s%s\" x=\"%u\" y=\"%u\" width=\"8\" height=\"8\">",
                  sum->again > 0 ? " again" : "", sum->rejected > 0 ? " rej" : "",
                  (unsigned)(place % columns * CELL + 1), (unsigned)(place / columns * CELL + 1));
    append_title(report, sum, out);
    buffer_append_string(out, "</rect>\n");
}

static void append_legend(const struct report *report, uint64_t a_cell, struct buffer *out)
{
    buffer_append_string(out, "<p class=\"legend\">");
    for (int i = 0; i < SHADES; i++) {
        buffer_format(out, "<i class=\"s%d\"></i>", i);
    }
    buffer_append_string(out,
                         " <span>quick to slow</span> <i class=\"s2 again\"></i> <span>tried again"
                         "</span> <i class=\"s2 rej\"></i> <span>with rejects</span> <i "
                         "class=\"open\"></i> <span>not done</span>");
    if (a_cell > 1) {
        buffer_format(out, " <span>A cell stands for %" PRIu64 " chunks.</span>", a_cell);
    }
    buffer_append_string(out, "</p>\n");
    if (report->chunk_done_count < report->chunk_count) {
        buffer_append_string(
            out, "<p class=\"quiet\">Chunks that are not done are copied by a resume.</p>\n");
    }
}

void report_append_map(const struct report *report, struct buffer *out)
{
    uint64_t a_cell = (report->chunk_count + CELLS_MAX - 1) / CELLS_MAX;
    if (report->chunk_count == 0) {
        buffer_append_string(out, "<p class=\"quiet\">No chunks are known.</p>\n");
        return;
    }
    uint32_t cells = (uint32_t)((report->chunk_count + a_cell - 1) / a_cell);
    uint32_t columns = cells < COLUMNS_MAX ? cells : COLUMNS_MAX;
    uint32_t rows = (cells + columns - 1) / columns;
    double seconds = 0;
    for (uint32_t i = 0; i < report->stream_count; i++) {
        seconds += report->streams[i].seconds;
    }
    double mean = report->chunk_done_count == 0 ? 0 : seconds / (double)report->chunk_done_count;
    buffer_append_string(out, "<p>");
    report_append_count(out, report->chunk_done_count);
    buffer_append_string(out, " of ");
    report_append_count(out, report->chunk_count);
    buffer_append_string(out, " chunks are done, ");
    report_append_count(out, report->chunk_again_count);
    buffer_append_string(out, " of them after more than one try.</p>\n");
    buffer_format(out,
                  "<svg class=\"map\" viewBox=\"0 0 %u %u\" style=\"max-width:%upx\" role=\"img\" "
                  "aria-label=\"%" PRIu64 " of %" PRIu64 " chunks done\">\n",
                  (unsigned)(columns * CELL), (unsigned)(rows * CELL),
                  (unsigned)(columns * CELL_PIXELS_MAX), report->chunk_done_count,
                  report->chunk_count);
    for (uint32_t i = 0; i < cells; i++) {
        uint64_t first = i * a_cell;
        uint64_t count =
            report->chunk_count - first < a_cell ? report->chunk_count - first : a_cell;
        struct cell_sum sum = sum_cell(report, first, count);
        append_cell(report, &sum, mean, i, columns, out);
    }
    buffer_append_string(out, "</svg>\n");
    append_legend(report, a_cell, out);
}
