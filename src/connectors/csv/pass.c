/*
 * The first pass: all records of a table, for their types and for the places where records begin.
 *
 * Files are cut into segments, which threads take one by one. Where a segment's first record begins
 * can't be known from within it (a line break may be inside quotes), so it is guessed: the first
 * line whose record, and the one after it, have as many fields as the table. Afterwards the
 * segments are joined in order; one that began elsewhere than where the one before it ended is read
 * again from there. So the result is that of reading the file from its first byte, whatever was
 * guessed; a wrong guess costs time only.
 */
#include "connectors/csv/csv.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/folder/folder_notice.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SEGMENT_BYTES = 8 * 1024 * 1024,
    SEGMENT_COLUMNS_MAX = 16384, /* segments × columns: bounds what is noted of them */
    MARK_BYTES_MIN = 128,
    MARKS_WANTED = 1 << 14,
    GUESSES_MAX = 16,
    GUESS_BYTES = 256 * 1024, /* that a guess looks at */
    THREADS_MAX = 16
};

struct segment {
    uint32_t file;
    bool first_of_file;
    uint64_t begin; /* in the file; records that begin here and before `end` are its */
    uint64_t end;
    uint64_t guess; /* where its first record was taken to begin */
    uint64_t next;  /* where the record after its last one begins */
    uint64_t records;
    uint64_t lines; /* from guess to next */
    uint64_t faults;
    struct csv_first first_fault;
    struct csv_mark *marks; /* lines from guess on */
    uint32_t mark_count;
    uint32_t mark_capacity;
    struct csv_column_facts *facts;
};

struct work {
    struct csv_pass *pass;
    struct folder_notice notice;
    struct segment *segments;
    uint32_t count;
    _Atomic uint32_t taken;
    _Atomic bool failed;
};

struct worker {
    struct work *work;
    pthread_t thread;
    bool started;
    enum status status;
    struct error error;
};

/* ---------------------------------------------------------------- one segment */

static enum status open_at(const struct csv_pass *pass, const struct segment *segment,
                           uint64_t begin, uint64_t end, struct csv_reader **reader,
                           struct error *error)
{
    const struct folder_file *file = &pass->table->files[segment->file];
    struct arena *arena = arena_create(4096);
    char *path = folder_file_path(arena, pass->table, segment->file);
    bool can_seek = pass->data->files[segment->file].can_seek;
    *reader = NULL;
    const struct csv_reading reading = {.dialect = &pass->data->dialect,
                                        .path = path,
                                        .begin = begin,
                                        .end = !can_seek           ? UINT64_MAX
                                               : end < file->bytes ? end
                                                                   : file->bytes,
                                        .field_capacity = pass->column_count,
                                        .record_bytes_max = pass->database->record_bytes_max,
                                        .window_bytes = CSV_WINDOW_BYTES};
    enum status status = csv_reader_open(&reading, reader, error);
    arena_destroy(arena);
    return status;
}

static void add_mark(struct csv_pass *pass, struct segment *segment, uint64_t byte, uint64_t line)
{
    uint64_t last = segment->mark_count > 0 ? segment->marks[segment->mark_count - 1].byte : 0;
    if (segment->mark_count > 0 && byte - last < pass->mark_bytes) {
        return;
    }
    if (segment->mark_count == segment->mark_capacity) {
        uint32_t capacity = segment->mark_capacity == 0 ? 64 : segment->mark_capacity * 2;
        struct csv_mark *grown = memory_resize(segment->marks, capacity, sizeof(*grown));
        segment->marks = grown;
        segment->mark_capacity = capacity;
    }
    segment->marks[segment->mark_count++] = (struct csv_mark){byte, line};
}

static enum status learn_field(const struct csv_dialect *dialect, struct csv_column_facts *facts,
                               const struct csv_field *field, uint32_t file, uint64_t line,
                               struct buffer *scratch, struct error *error)
{
    if (csv_field_is_null(dialect, field)) {
        facts->null_count++;
        return STATUS_OK;
    }
    if ((field->flags & CSV_FIELD_ESCAPED) != 0) {
        buffer_clear(scratch);
        if (!buffer_try_reserve(scratch, field->length)) {
            return error_set(error, ERROR_MEMORY, NULL, "no memory for a field of %zu bytes",
                             (size_t)field->length);
        }
        csv_infer_add(facts, scratch->data, csv_unescape(dialect, field, scratch->data), file,
                      line);
        return STATUS_OK;
    }
    csv_infer_add(facts, field->text, field->length, file, line);
    return STATUS_OK;
}

static enum status learn_record(struct csv_pass *pass, struct segment *segment,
                                const struct csv_record *record, uint64_t line,
                                struct buffer *scratch, struct error *error)
{
    enum status status = STATUS_OK;
    const struct csv_file_data *file = &pass->data->files[segment->file];
    segment->records++;
    if (record->fault != CSV_FINE || record->field_count != pass->column_count) {
        if (segment->faults++ == 0) {
            segment->first_fault.file = segment->file;
            segment->first_fault.line = line;
        }
        return STATUS_OK;
    }
    for (uint32_t at = 0; status == STATUS_OK && segment->facts != NULL && at < pass->column_count;
         at++) {
        if (pass->wanted[at]) {
            status = learn_field(&pass->data->dialect, &segment->facts[at],
                                 &record->fields[file->field_of_column[at]], segment->file, line,
                                 scratch, error);
        }
    }
    return status;
}

static void forget_segment(const struct csv_pass *pass, struct segment *segment)
{
    segment->records = segment->lines = segment->faults = 0;
    segment->mark_count = 0;
    if (segment->facts != NULL) {
        memset(segment->facts, 0, pass->column_count * sizeof(*segment->facts));
    }
}

/* Bytes of a file that is packed or in another encoding are not the file's. */
static enum status note_progress(struct work *work, const struct segment *segment, uint64_t bytes,
                                 struct error *error)
{
    bool of_file = work->pass->data->files[segment->file].can_seek;
    return folder_notice_add(&work->notice, of_file ? bytes : 0, error);
}

/* Reads the segment's records from `begin` on. */
static enum status read_segment(struct work *work, struct segment *segment, uint64_t begin,
                                struct error *error)
{
    struct csv_pass *pass = work->pass;
    struct csv_reader *reader = NULL;
    struct csv_record record;
    struct buffer scratch = {0};
    forget_segment(pass, segment);
    segment->guess = segment->next = begin;
    bool header = begin == 0 && pass->data->dialect.header;
    enum status status = STATUS_OK;
    if (begin >= segment->end) {
        return STATUS_OK;
    }
    status = open_at(pass, segment, begin, UINT64_MAX, &reader, error);
    for (bool going = true; going && status == STATUS_OK;) {
        uint64_t before = segment->next;
        status = csv_reader_fill(reader, NULL, error);
        while (status == STATUS_OK && csv_reader_next(reader, &record) == STATUS_OK) {
            uint64_t byte = csv_reader_byte(reader);
            uint64_t line = csv_reader_line(reader);
            if (byte >= segment->end) {
                going = false;
                break;
            }
            if (!header) {
                add_mark(pass, segment, byte, line);
            }
            if (!header && (!record.empty || pass->column_count == 1)) {
                status = learn_record(pass, segment, &record, line, &scratch, error);
            }
            header = false;
            segment->next = csv_reader_byte_end(reader);
            segment->lines = line + record.lines - record.skipped_lines;
        }
        if (status == STATUS_OK) {
            status = note_progress(work, segment, segment->next - before, error);
        }
    }
    csv_reader_close(reader);
    buffer_free(&scratch);
    if (status != STATUS_FAILED && !pass->data->files[segment->file].can_seek) {
        status = folder_notice_add(&work->notice, pass->table->files[segment->file].bytes, error);
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- guessing */

/* Whether the next two records look like the table's. */
static bool looks_right(struct csv_reader *reader, const struct csv_pass *pass,
                        struct error *ignored)
{
    struct csv_record record;
    for (int seen = 0; seen < 2;) {
        if (csv_reader_next(reader, &record) == STATUS_OK) {
            if (record.fault != CSV_FINE || record.field_count != pass->column_count) {
                return false;
            }
            seen++;
        } else if (csv_reader_fill(reader, NULL, ignored) != STATUS_OK) {
            return seen > 0;
        }
    }
    return true;
}

static bool guess_holds(const struct csv_pass *pass, const struct segment *segment, uint64_t byte)
{
    struct csv_reader *reader = NULL;
    struct error ignored;
    bool holds = open_at(pass, segment, byte, byte + GUESS_BYTES, &reader, &ignored) == STATUS_OK &&
                 looks_right(reader, pass, &ignored);
    csv_reader_close(reader);
    return holds;
}

/* The first line at or after the segment's begin that looks like a record; UINT64_MAX: no line
 * begins near it, and the segment is left to the join. */
static enum status guess_begin(struct csv_pass *pass, struct segment *segment, uint64_t *guess,
                               struct error *error)
{
    const struct csv_dialect *dialect = &pass->data->dialect;
    struct folder_input *input = NULL;
    *guess = segment->begin;
    if (segment->first_of_file) {
        return STATUS_OK;
    }
    *guess = UINT64_MAX;
    char *window = memory_allocate(GUESS_BYTES);
    struct arena *arena = arena_create(4096);
    char *path = folder_file_path(arena, pass->table, segment->file);
    size_t length = 0;
    uint64_t from = segment->begin - 1;
    enum status status = folder_input_open(path, from, ERROR_SOURCE_READ, &input, error);
    if (status == STATUS_OK) {
        status = folder_input_read(input, window, GUESS_BYTES, &length, error);
    }
    const char *at = window;
    for (int tries = 0; status == STATUS_OK && tries < GUESSES_MAX; tries++) {
        const char *mark =
            (const char *)memchr(at, csv_line_mark(dialect), length - (size_t)(at - window));
        if (mark == NULL) {
            break;
        }
        at = mark + 1;
        *guess = from + (uint64_t)(at - window);
        if (guess_holds(pass, segment, *guess)) {
            break;
        }
    }
    folder_input_close(input);
    arena_destroy(arena);
    free(window);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- threads */

static void *work_on(void *argument)
{
    struct worker *worker = (struct worker *)argument;
    struct work *work = worker->work;
    while (!atomic_load(&work->failed)) {
        uint32_t number = atomic_fetch_add(&work->taken, 1);
        uint64_t guess = 0;
        if (number >= work->count) {
            break;
        }
        struct segment *segment = &work->segments[number];
        worker->status = guess_begin(work->pass, segment, &guess, &worker->error);
        if (worker->status == STATUS_OK) {
            worker->status = read_segment(work, segment, guess, &worker->error);
        }
        if (worker->status != STATUS_OK) {
            atomic_store(&work->failed, true);
        }
    }
    return NULL;
}

static enum status run_workers(struct work *work, uint32_t threads, struct error *error)
{
    struct worker workers[THREADS_MAX] = {{.work = work}};
    enum status status = STATUS_OK;
    threads = threads > THREADS_MAX ? THREADS_MAX : threads;
    threads = threads > work->count ? work->count : threads;
    for (uint32_t at = 0; at < threads; at++) {
        workers[at].work = work;
        /* without a thread this one does the work alone */
        workers[at].started =
            at > 0 && pthread_create(&workers[at].thread, NULL, work_on, &workers[at]) == 0;
    }
    work_on(&workers[0]);
    for (uint32_t at = 0; at < threads; at++) {
        if (workers[at].started) {
            pthread_join(workers[at].thread, NULL);
        }
        if (status == STATUS_OK && workers[at].status != STATUS_OK) {
            error_copy(error, &workers[at].error);
            status = STATUS_FAILED;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- joining */

static void keep_marks(struct csv_file_data *file, const struct segment *segment,
                       uint64_t lines_before, uint32_t capacity)
{
    for (uint32_t at = 0; at < segment->mark_count && file->mark_count < capacity; at++) {
        struct csv_mark mark = segment->marks[at];
        mark.line += lines_before;
        file->marks[file->mark_count++] = mark;
    }
}

/* The segments of one file, from `first` on; their number comes back in `count`. */
static enum status join_file(struct work *work, uint32_t first, uint32_t *count,
                             struct error *error)
{
    struct csv_pass *pass = work->pass;
    struct folder_table_data *data = pass->data;
    uint32_t number = work->segments[first].file;
    struct csv_file_data *file = &data->files[number];
    uint64_t expected = 0;
    uint64_t lines = 0;
    uint32_t marks = 0;
    uint32_t end = first;
    for (; end < work->count && work->segments[end].file == number; end++) {
        struct segment *segment = &work->segments[end];
        if (end > first && segment->guess != expected &&
            read_segment(work, segment, expected, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        expected = segment->next;
        marks += segment->mark_count;
    }
    file->marks = arena_allocate_zeroed(pass->arena, (size_t)marks + 1, sizeof(*file->marks));
    file->mark_count = 0;
    for (uint32_t at = first; at < end; at++) {
        struct segment *segment = &work->segments[at];
        keep_marks(file, segment, lines, marks);
        for (uint32_t column = 0; segment->facts != NULL && column < pass->column_count; column++) {
            csv_infer_merge(&pass->facts[column], &segment->facts[column], lines);
        }
        if (segment->faults > 0 && data->faults == 0) {
            data->first_fault = segment->first_fault;
            data->first_fault.line += lines;
        }
        data->faults += segment->faults;
        pass->record_count += segment->records;
        lines += segment->lines;
    }
    file->marked = true;
    *count = end - first;
    return STATUS_OK;
}

static enum status pass_join(struct work *work, struct error *error)
{
    enum status status = STATUS_OK;
    uint32_t count = 0;
    for (uint32_t at = 0; status == STATUS_OK && at < work->count; at += count) {
        status = join_file(work, at, &count, error);
    }
    return status;
}

/* ---------------------------------------------------------------- the pass */

static uint64_t segment_bytes_of(const struct csv_pass *pass, uint64_t total)
{
    uint64_t most = SEGMENT_COLUMNS_MAX / (pass->column_count > 0 ? pass->column_count : 1);
    uint64_t least = total / (most > 0 ? most : 1) + 1;
    uint64_t wanted = pass->segment_bytes > 0 ? pass->segment_bytes : SEGMENT_BYTES;
    return wanted > least ? wanted : least;
}

static uint32_t segments_of_file(const struct csv_pass *pass, uint32_t file, uint64_t bytes)
{
    uint64_t size = pass->table->files[file].bytes;
    if (!pass->data->files[file].can_seek || size == 0) {
        return 1;
    }
    return (uint32_t)((size + bytes - 1) / bytes);
}

static void pass_cut(struct work *work, uint64_t bytes)
{
    struct csv_pass *pass = work->pass;
    uint32_t count = 0;
    for (uint32_t file = pass->file_begin; file < pass->file_end; file++) {
        count += segments_of_file(pass, file, bytes);
    }
    work->segments = memory_allocate_zeroed((size_t)count + 1, sizeof(*work->segments));
    for (uint32_t file = pass->file_begin; file < pass->file_end; file++) {
        uint32_t pieces = segments_of_file(pass, file, bytes);
        for (uint32_t piece = 0; piece < pieces; piece++) {
            struct segment *segment = &work->segments[work->count++];
            segment->file = file;
            segment->first_of_file = piece == 0;
            segment->begin = piece * bytes;
            segment->end = piece + 1 < pieces ? (piece + 1) * bytes : UINT64_MAX;
            if (pass->wanted != NULL) {
                segment->facts =
                    memory_allocate_zeroed((size_t)pass->column_count + 1, sizeof(*segment->facts));
            }
        }
    }
}

enum status csv_pass_run(struct csv_pass *pass, struct error *error)
{
    struct work work = {.pass = pass};
    uint64_t total = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (uint32_t file = pass->file_begin; file < pass->file_end; file++) {
        total += pass->table->files[file].bytes;
    }
    folder_notice_begin(&work.notice, pass->table, pass->file_begin, pass->file_end, pass->arena);
    if (pass->mark_bytes == 0) {
        pass->mark_bytes = total / MARKS_WANTED + MARK_BYTES_MIN;
    }
    if (pass->threads == 0) {
        pass->threads = processors > 0 ? (uint32_t)processors : 1;
    }
    pass_cut(&work, segment_bytes_of(pass, total));
    enum status status = run_workers(&work, pass->threads, error);
    status = status == STATUS_OK ? pass_join(&work, error) : status;
    for (uint32_t at = 0; at < work.count; at++) {
        free(work.segments[at].marks);
        free(work.segments[at].facts);
    }
    free(work.segments);
    return status;
}
