/* Change sets in files. */
#include "engine/follow/feed/spool_file.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "base/memory.h"
#include "engine/follow/feed/set_bytes.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    SEGMENT_BYTES = 64 << 20,
    RECORD_BYTES_MAX = 1 << 30,
    NAME_BYTES = 16,
    FLUSH_BYTES = 1 << 20
};
enum { RECORD_TABLE = 1, RECORD_SET = 2 };

struct record_head {
    uint32_t length;
    uint32_t kind;
    uint64_t hash;
};

static char *segment_path(const char *folder, uint32_t number)
{
    struct buffer path = {0};
    buffer_format(&path, "%s/%08" PRIu32, folder, number);
    buffer_string(&path);
    return path.data;
}

static int compare_numbers(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* The numbers of the segments, ascending; the caller's to free. No folder: none. */
static enum status list_segments(const char *folder, uint32_t **numbers, uint32_t *count,
                                 struct error *error)
{
    struct entries entries;
    const char *name;
    *numbers = NULL;
    *count = 0;
    enum status status = entries_open(&entries, folder, ERROR_STATE_INVALID, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    while ((status = entries_next(&entries, &name, error)) == STATUS_OK) {
        char *end;
        unsigned long number = strtoul(name, &end, 10);
        if (*end == '\0' && strlen(name) == 8) {
            *numbers = memory_resize(*numbers, *count + 1u, sizeof **numbers);
            (*numbers)[(*count)++] = (uint32_t)number;
        }
    }
    entries_close(&entries);
    if (status != STATUS_END) {
        free(*numbers);
        *numbers = NULL;
        return STATUS_FAILED;
    }
    qsort(*numbers, *count, sizeof **numbers, compare_numbers);
    return STATUS_OK;
}

/* ---- a segment being read */

struct segment {
    int descriptor;
    char *path;
    off_t offset;
    struct buffer bytes; /* of the record at hand */
    uint32_t kind;
};

static enum status segment_open(struct segment *segment, const char *folder, uint32_t number,
                                int flags, struct error *error)
{
    *segment = (struct segment){.path = segment_path(folder, number)};
    segment->descriptor = file_open(segment->path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    return segment->descriptor >= 0 ? STATUS_OK
                                    : error_set_errno(error, ERROR_STATE_INVALID, errno,
                                                      segment->path, "can't be opened");
}

static void segment_close(struct segment *segment)
{
    if (segment->descriptor >= 0) {
        file_close(segment->descriptor);
    }
    free(segment->path);
    buffer_free(&segment->bytes);
    *segment = (struct segment){.descriptor = -1};
}

static bool read_exactly(struct segment *segment, void *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t some = file_read_at(segment->descriptor, (char *)bytes + done, length - done,
                                    segment->offset + (off_t)done);
        if (some <= 0) {
            return false;
        }
        done += (size_t)some;
    }
    segment->offset += (off_t)length;
    return true;
}

/* False: the file ends here, or what comes was not written whole. */
static bool segment_read(struct segment *segment)
{
    struct record_head head;
    if (!read_exactly(segment, &head, sizeof head) || head.length > RECORD_BYTES_MAX) {
        return false;
    }
    buffer_clear(&segment->bytes);
    buffer_reserve(&segment->bytes, head.length + (size_t)1);
    if (!read_exactly(segment, segment->bytes.data, head.length) ||
        XXH3_64bits(segment->bytes.data, head.length) != head.hash) {
        return false;
    }
    segment->bytes.length = head.length;
    segment->kind = head.kind;
    return true;
}

/* ---- writing */

struct known_table {
    const struct shape *shape;
    char *name;
};

struct spool_writer {
    char *folder;
    int descriptor; /* of the last segment; -1: none is open */
    uint32_t number;
    uint64_t segment_bytes;
    uint64_t bytes; /* of all */
    struct known_table *tables;
    uint32_t table_count;
    struct buffer pending; /* records that are not written yet */
    bool unsynced;         /* some were written, and are not durable yet */
    struct buffer record;
};

static enum status spool_file_flush(struct spool_writer *writer, struct error *error)
{
    if (writer->pending.length == 0) {
        return STATUS_OK;
    }
    enum status status = file_write_all(writer->descriptor, writer->pending.data,
                                        writer->pending.length, writer->folder, error);
    buffer_clear(&writer->pending);
    writer->unsynced = true;
    return status;
}

enum status spool_writer_sync(struct spool_writer *writer, struct error *error)
{
    if (writer->descriptor < 0) {
        return STATUS_OK;
    }
    if (spool_file_flush(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!writer->unsynced) {
        return STATUS_OK;
    }
    if (failpoint_hit("follow.before_spool_sync", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (file_sync_data(writer->descriptor) != 0) {
        return error_set_errno(error, ERROR_STATE_WRITE, errno, writer->folder,
                               "can't be made durable");
    }
    writer->unsynced = false;
    return STATUS_OK;
}

static enum status end_segment(struct spool_writer *writer, struct error *error)
{
    enum status status = spool_writer_sync(writer, error);
    if (writer->descriptor >= 0) {
        file_close(writer->descriptor);
        writer->descriptor = -1;
    }
    for (uint32_t i = 0; i < writer->table_count; i++) {
        free(writer->tables[i].name);
    }
    writer->table_count = 0;
    return status;
}

static enum status begin_segment(struct spool_writer *writer, struct error *error)
{
    char *path = segment_path(writer->folder, ++writer->number);
    writer->segment_bytes = 0;
    writer->descriptor =
        file_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum status status = writer->descriptor >= 0 ? file_sync_folder(writer->folder, error)
                                                 : error_set_errno(error, ERROR_STATE_WRITE, errno,
                                                                   path, "can't be made");
    free(path);
    return status;
}

static void add_record(struct spool_writer *writer, uint32_t kind)
{
    const struct record_head head = {(uint32_t)writer->record.length, kind,
                                     XXH3_64bits(writer->record.data, writer->record.length)};
    buffer_append(&writer->pending, &head, sizeof head);
    buffer_append_buffer(&writer->pending, &writer->record);
    writer->segment_bytes += sizeof head + writer->record.length;
    writer->bytes += sizeof head + writer->record.length;
}

static uint32_t number_of(struct spool_writer *writer, const struct change_table *table)
{
    for (uint32_t i = 0; i < writer->table_count; i++) {
        if (writer->tables[i].shape == table->shape &&
            strcmp(writer->tables[i].name, table->name) == 0) {
            return i;
        }
    }
    writer->tables =
        memory_resize(writer->tables, writer->table_count + 1u, sizeof *writer->tables);
    writer->tables[writer->table_count] =
        (struct known_table){table->shape, memory_copy_string(table->name)};
    buffer_clear(&writer->record);
    set_bytes_append_table(table, writer->table_count, &writer->record);
    add_record(writer, RECORD_TABLE);
    return writer->table_count++;
}

enum status spool_writer_add(struct spool_writer *writer, const struct change_set *set,
                             struct error *error)
{
    if (writer->descriptor >= 0 && set->first_piece && writer->segment_bytes > SEGMENT_BYTES &&
        end_segment(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (writer->descriptor < 0 && begin_segment(writer, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t *numbers = memory_allocate_zeroed(set->table_count + 1u, sizeof *numbers);
    for (uint32_t i = 0; i < set->table_count; i++) {
        numbers[i] = number_of(writer, &set->tables[i]);
    }
    buffer_clear(&writer->record);
    enum status status = set_bytes_append(set, numbers, &writer->record, error);
    free(numbers);
    if (status == STATUS_OK) {
        add_record(writer, RECORD_SET);
    }
    return status == STATUS_OK && writer->pending.length > FLUSH_BYTES
               ? spool_file_flush(writer, error)
               : status;
}

enum status spool_writer_forget(struct spool_writer *writer, struct error *error)
{
    return end_segment(writer, error);
}

uint64_t spool_writer_bytes(const struct spool_writer *writer)
{
    return writer->bytes;
}

void spool_writer_close(struct spool_writer *writer)
{
    struct error ignored = {0};
    if (writer == NULL) {
        return;
    }
    (void)!end_segment(writer, &ignored); /* what was not synced is told again by the feed */
    buffer_free(&writer->pending);
    buffer_free(&writer->record);
    free(writer->tables);
    free(writer->folder);
    free(writer);
}

/* To behind the last whole transaction. `*whole`: that is the file's end. */
static enum status spool_file_scan(struct segment *segment, struct buffer *end, off_t *kept,
                                   bool *whole, struct error *error)
{
    struct stat facts;
    *kept = 0;
    while (segment_read(segment)) {
        struct set_head head;
        if (segment->kind != RECORD_SET) {
            continue;
        }
        if (set_bytes_read_head(segment->bytes.data, segment->bytes.length, &head, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        if (head.last_piece) {
            position_keep(end, head.end);
            *kept = segment->offset;
        }
    }
    if (fstat(segment->descriptor, &facts) != 0) {
        return error_set_errno(error, ERROR_STATE_INVALID, errno, segment->path, "can't be read");
    }
    *whole = facts.st_size == *kept;
    return STATUS_OK;
}

static enum status spool_file_cut(struct spool_writer *writer, uint32_t number, struct buffer *end,
                                  bool *whole, struct error *error)
{
    struct segment segment;
    off_t kept = 0;
    enum status status = segment_open(&segment, writer->folder, number, O_RDWR, error);
    status = status == STATUS_OK ? spool_file_scan(&segment, end, &kept, whole, error) : status;
    if (status == STATUS_OK && !*whole &&
        (file_cut(segment.descriptor, kept) != 0 || file_sync(segment.descriptor) != 0)) {
        status = error_set_errno(error, ERROR_STATE_WRITE, errno, segment.path, "can't be cut");
    }
    writer->bytes += (uint64_t)kept;
    segment_close(&segment);
    return status;
}

enum status spool_writer_open(const char *folder, struct arena *arena, struct position *end,
                              struct spool_writer **made, struct error *error)
{
    struct spool_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    uint32_t *numbers = NULL;
    uint32_t count = 0;
    bool whole = true;
    struct buffer last = {0};
    *end = (struct position){0};
    *made = NULL;
    writer->folder = memory_copy_string(folder);
    writer->descriptor = -1;
    enum status status = file_make_folder(folder, error);
    status = status == STATUS_OK ? list_segments(folder, &numbers, &count, error) : status;
    for (uint32_t i = 0; i < count && status == STATUS_OK && whole; i++) {
        writer->number = numbers[i];
        status = spool_file_cut(writer, numbers[i], &last, &whole, error);
    }
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        char *path = segment_path(folder, numbers[i]); /* behind one that is not whole */
        status = numbers[i] > writer->number && unlink(path) != 0
                     ? error_set_errno(error, ERROR_STATE_WRITE, errno, path, "can't be removed")
                     : STATUS_OK;
        free(path);
    }
    free(numbers);
    if (last.length > 0) {
        const char *bytes = arena_copy(arena, last.data, last.length);
        *end = (struct position){(const uint8_t *)bytes, (uint32_t)last.length};
    }
    buffer_free(&last);
    if (status != STATUS_OK) {
        spool_writer_close(writer);
        return STATUS_FAILED;
    }
    *made = writer;
    return STATUS_OK;
}

/* ---- reading */

struct read_segment {
    uint32_t number;
    struct buffer end; /* of the last transaction that was read of it, or passed over */
};

struct spool_reader {
    char *folder;
    struct arena *arena; /* of tables and positions */
    spool_covers *covers;
    struct buffer from;
    struct buffer end;
    struct buffer found; /* the end of the transaction at hand */
    struct read_segment *segments;
    uint32_t segment_count;
    uint32_t at;    /* the one that is read; segment_count: none is left */
    uint32_t first; /* that is still there */
    struct segment segment;
    bool is_open;
    struct change_table *tables; /* of this segment, by number */
    uint32_t table_count;
    bool skips;  /* the transaction at hand */
    bool inside; /* one */
    bool ended;
};

enum status spool_reader_open(const char *folder, struct position from, spool_covers *covers,
                              struct spool_reader **made, struct error *error)
{
    uint32_t *numbers;
    uint32_t count;
    *made = NULL;
    if (list_segments(folder, &numbers, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (count == 0) {
        free(numbers);
        return STATUS_OK;
    }
    struct spool_reader *reader = memory_allocate_zeroed(1, sizeof *reader);
    reader->folder = memory_copy_string(folder);
    reader->arena = arena_create(0);
    reader->covers = covers;
    position_keep(&reader->from, from);
    position_keep(&reader->end, from);
    reader->segments = arena_allocate_zeroed(reader->arena, count, sizeof *reader->segments);
    reader->segment_count = count;
    for (uint32_t i = 0; i < count; i++) {
        reader->segments[i].number = numbers[i];
    }
    free(numbers);
    *made = reader;
    return STATUS_OK;
}

void spool_reader_close(struct spool_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->is_open) {
        segment_close(&reader->segment);
    }
    for (uint32_t i = 0; i < reader->segment_count; i++) {
        buffer_free(&reader->segments[i].end);
    }
    buffer_free(&reader->from);
    buffer_free(&reader->end);
    buffer_free(&reader->found);
    arena_destroy(reader->arena);
    free(reader->folder);
    free(reader);
}

struct position spool_reader_end(const struct spool_reader *reader)
{
    return position_kept(&reader->end);
}

static enum status take_table(struct spool_reader *reader, struct error *error)
{
    struct change_table table = {0};
    uint32_t number;
    if (set_bytes_read_table(reader->segment.bytes.data, reader->segment.bytes.length,
                             reader->arena, &table, &number, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (number != reader->table_count) {
        return error_set(error, ERROR_STATE_INVALID, reader->segment.path,
                         "a table of the spool is out of place");
    }
    struct change_table *grown =
        arena_allocate_zeroed(reader->arena, number + (size_t)1, sizeof *grown);
    if (number > 0) {
        memcpy(grown, reader->tables, number * sizeof *grown);
    }
    grown[number] = table;
    reader->tables = grown;
    reader->table_count++;
    return STATUS_OK;
}

/* Where the transaction ends whose first piece is at hand, into `found`. */
static enum status find_end(struct spool_reader *reader, const struct set_head *first,
                            bool *is_whole, struct error *error)
{
    struct segment *segment = &reader->segment;
    struct set_head head = *first;
    while (!head.last_piece && segment_read(segment)) {
        if (segment->kind == RECORD_SET &&
            set_bytes_read_head(segment->bytes.data, segment->bytes.length, &head, error) !=
                STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    *is_whole = head.last_piece;
    if (*is_whole) {
        position_keep(&reader->found, head.end);
    }
    return STATUS_OK;
}

/* The record at hand is a first piece: the whole transaction is read, or passed over. */
static enum status begin_transaction(struct spool_reader *reader, const struct set_head *head,
                                     struct error *error)
{
    struct segment *segment = &reader->segment;
    const off_t here =
        segment->offset - (off_t)segment->bytes.length - (off_t)sizeof(struct record_head);
    bool is_whole;
    bool is_one = head->last_piece;
    if (find_end(reader, head, &is_whole, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!is_whole) {
        return STATUS_END;
    }
    const struct position end = position_kept(&reader->found);
    reader->skips = reader->covers(position_kept(&reader->from), end);
    position_keep(&reader->segments[reader->at].end, end);
    if (!reader->skips) {
        position_keep(&reader->end, end);
    }
    if (is_one) {
        return STATUS_OK;
    }
    segment->offset = here; /* the piece is no longer at hand */
    return segment_read(segment) ? STATUS_OK : STATUS_END;
}

static enum status next_of_segment(struct spool_reader *reader, struct change_set **set,
                                   struct error *error)
{
    struct segment *segment = &reader->segment;
    while (segment_read(segment)) {
        struct set_head head;
        enum status status = STATUS_OK;
        if (segment->kind == RECORD_TABLE) {
            if (take_table(reader, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            continue;
        }
        if (set_bytes_read_head(segment->bytes.data, segment->bytes.length, &head, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        if (!reader->inside) {
            status = begin_transaction(reader, &head, error);
        }
        if (status != STATUS_OK) {
            return status;
        }
        reader->inside = !head.last_piece;
        if (!reader->skips) {
            return set_bytes_read(segment->bytes.data, segment->bytes.length, reader->tables,
                                  reader->table_count, set, error);
        }
    }
    return STATUS_END;
}

enum status spool_reader_next(struct spool_reader *reader, struct change_set **set,
                              struct error *error)
{
    while (reader->at < reader->segment_count) {
        if (!reader->is_open) {
            if (segment_open(&reader->segment, reader->folder, reader->segments[reader->at].number,
                             O_RDONLY, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            reader->is_open = true;
            reader->table_count = 0;
            reader->inside = false;
        }
        enum status status = next_of_segment(reader, set, error);
        if (status != STATUS_END) {
            return status;
        }
        segment_close(&reader->segment);
        reader->is_open = false;
        reader->at++;
    }
    reader->ended = true;
    return STATUS_END;
}

enum status spool_reader_confirm(struct spool_reader *reader, struct position position,
                                 struct error *error)
{
    while (reader->first < reader->at) {
        const struct read_segment *segment = &reader->segments[reader->first];
        if (segment->end.length > 0 && !reader->covers(position, position_kept(&segment->end))) {
            return STATUS_OK;
        }
        char *path = segment_path(reader->folder, segment->number);
        int result = unlink(path);
        int code = errno;
        free(path);
        if (result != 0 && code != ENOENT) {
            return error_set_errno(error, ERROR_STATE_WRITE, code, reader->folder,
                                   "what was applied can't be removed");
        }
        reader->first++;
    }
    if (reader->ended && reader->first == reader->segment_count) {
        return file_remove_tree(reader->folder, error);
    }
    return STATUS_OK;
}
