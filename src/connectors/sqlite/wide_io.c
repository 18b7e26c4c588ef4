/* Wide reads and writes: SQLite moves a page a system call, which takes a sixth of a plain copy's
 * time. */
#include "connectors/sqlite/sqlite_internal.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * A VFS over the system's own, for main database files only (journals and WALs pass through).
 *
 *   writes  that follow each other are gathered and go out as one, at the latest before anything
 *           that looks at the file or makes it durable: sync, the file control that SQLite calls
 *           before each sync (and in its place where syncs are off), size, truncate, unlock, read.
 *   reads   that go on where one of the last two ended, or shortly behind, fetch a block, more than
 *           was asked for. Two, for a table's leaves lie mostly in order, but inner pages anywhere.
 *           A block is good while the lock is held that keeps others from writing to the file; it
 *           is forgotten at each new lock and own write. In WAL mode a checkpoint may write under a
 *           reader, so nothing is fetched ahead or gathered there.
 *   pages   of a block are not copied while one pass over a table is made (sqlite_give_pages), on
 *           connections that take mapped ones (PRAGMA mmap_size): SQLite gets pointers into the
 *           block, which stays until it has given them back. They do not go into its cache, and it
 *           asks for them before it looks there: look-ups would read again what it has. Nothing is
 *           mapped, so that a file that is cut meanwhile is an error, and no SIGBUS.
 *
 * A write that fails late fails the sync, and the journal that was synced before it undoes the
 * rest.
 *
 * It also knows which file was opened, whatever the path leads to since. SQLite keeps its
 * descriptor to itself, but looks at each file that it opens by its exchangeable call fstat.
 */
/* The Unix VFS takes less than 128 KiB at once. */
enum { WIDE_BYTES = 64 * 1024, AHEAD_BYTES = 64 * 1024, BLOCKS = 3, FORGOTTEN = -1 };
/* SQLite may look behind the end of a damaged page, for at most a quarter of one. */
enum { BEHIND_BYTES = AHEAD_BYTES / 4 + 64 };

/* File controls of this VFS alone; SQLite's own are below 100. */
enum { IDENTIFY = 0x7472616e, GIVE_PAGES };

struct wide_block {
    char *bytes;          /* made at first use */
    sqlite3_int64 offset; /* FORGOTTEN: what it has is good for its pins alone */
    int length;
    int pins; /* pages of it that SQLite has */
};

struct wide_file {
    sqlite3_file base;
    sqlite3_file *real; /* in the same allocation, behind this */
    char *gathered;     /* made at first use */
    sqlite3_int64 gathered_offset;
    int gathered_length;
    struct wide_block blocks[BLOCKS];
    uint32_t last_block;
    bool gives_pages;
    sqlite3_int64 read_ends[2]; /* of the last read, and of the one before it */
    int lock;
    int descriptor;     /* SQLite's; -1: it did not look at it */
    bool shared_memory; /* WAL mode */
};

static struct wide_file *wide_of(sqlite3_file *file)
{
    return (struct wide_file *)file;
}

static int wide_io_flush(struct wide_file *file)
{
    int length = file->gathered_length;

    if (length == 0) {
        return SQLITE_OK;
    }
    /* forgotten also when it fails: it is the failed transaction's, and the journal undoes that */
    file->gathered_length = 0;
    return file->real->pMethods->xWrite(file->real, file->gathered, length, file->gathered_offset);
}

static int wide_close(sqlite3_file *base)
{
    struct wide_file *file = wide_of(base);
    int flushed = wide_io_flush(file);
    int closed = file->real->pMethods->xClose(file->real);

    free(file->gathered);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        free(file->blocks[i].bytes);
    }
    return closed == SQLITE_OK ? flushed : closed;
}

/* ---------------------------------------------------------------- reading */

static void forget_blocks(struct wide_file *file)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        file->blocks[i].offset = FORGOTTEN;
    }
    file->read_ends[0] = 0;
    file->read_ends[1] = 0;
}

static struct wide_block *find_block(struct wide_file *file, int amount, sqlite3_int64 offset)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        struct wide_block *block = &file->blocks[i];
        if (block->offset != FORGOTTEN && offset >= block->offset &&
            offset + amount <= block->offset + block->length) {
            return block;
        }
    }
    return NULL;
}

/* The oldest one that SQLite has no page of; NULL: there is none. */
static struct wide_block *free_block(struct wide_file *file)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        file->last_block = (file->last_block + 1) % BLOCKS;
        struct wide_block *block = &file->blocks[file->last_block];
        if (block->pins == 0) {
            block->offset = FORGOTTEN;
            return block;
        }
    }
    return NULL;
}

/* NULL: it can't be, and whoever reads what was asked for alone learns why. */
static struct wide_block *fetch_block(struct wide_file *file, int amount, sqlite3_int64 offset)
{
    sqlite3_int64 size = 0;
    struct wide_block *block = free_block(file);
    if (block == NULL || file->real->pMethods->xFileSize(file->real, &size) != SQLITE_OK ||
        offset + amount > size) {
        return NULL;
    }
    if (block->bytes == NULL) {
        block->bytes = memory_allocate_zeroed(1, AHEAD_BYTES + BEHIND_BYTES);
    }
    int length = size - offset < AHEAD_BYTES ? (int)(size - offset) : AHEAD_BYTES;
    if (file->real->pMethods->xRead(file->real, block->bytes, length, offset) != SQLITE_OK) {
        return NULL;
    }
    block->offset = offset;
    block->length = length;
    return block;
}

static bool is_behind(sqlite3_int64 offset, sqlite3_int64 end)
{
    return offset >= end && offset - end <= AHEAD_BYTES;
}

/* The block that has it; NULL: it is to be read alone. */
static struct wide_block *block_of(struct wide_file *file, int amount, sqlite3_int64 offset)
{
    if (file->shared_memory || file->lock < SQLITE_LOCK_SHARED || amount >= AHEAD_BYTES) {
        return NULL;
    }
    struct wide_block *block = find_block(file, amount, offset);
    return block == NULL &&
                   (is_behind(offset, file->read_ends[0]) || is_behind(offset, file->read_ends[1]))
               ? fetch_block(file, amount, offset)
               : block;
}

static void note_end(struct wide_file *file, sqlite3_int64 end)
{
    file->read_ends[1] = file->read_ends[0];
    file->read_ends[0] = end;
}

/* SQLite takes a disk that can't be read for a damaged database, and says so: a call that failed is
 * no more than that. */
static int read_error(int result)
{
    return result == SQLITE_IOERR_CORRUPTFS ? SQLITE_IOERR_READ : result;
}

static int wide_read(sqlite3_file *base, void *bytes, int amount, sqlite3_int64 offset)
{
    struct wide_file *file = wide_of(base);
    int flushed = wide_io_flush(file);
    if (flushed != SQLITE_OK) {
        return flushed;
    }
    const struct wide_block *block = block_of(file, amount, offset);
    note_end(file, offset + amount);
    if (block == NULL) {
        return read_error(file->real->pMethods->xRead(file->real, bytes, amount, offset));
    }
    memcpy(bytes, block->bytes + (offset - block->offset), (size_t)amount);
    return SQLITE_OK;
}

/* A page that is not given is asked of wide_read. */
static int wide_fetch(sqlite3_file *base, sqlite3_int64 offset, int amount, void **page)
{
    struct wide_file *file = wide_of(base);
    *page = NULL;
    if (!file->gives_pages || file->gathered_length > 0) {
        return SQLITE_OK;
    }
    struct wide_block *block = block_of(file, amount, offset);
    if (block != NULL) {
        note_end(file, offset + amount);
        block->pins++;
        *page = block->bytes + (offset - block->offset);
    }
    return SQLITE_OK;
}

/* Without a page: nothing that was fetched is good any more. */
static int wide_unfetch(sqlite3_file *base, sqlite3_int64 offset, void *page)
{
    struct wide_file *file = wide_of(base);
    const char *given = page;
    (void)offset;
    if (page == NULL) {
        forget_blocks(file);
    }
    for (uint32_t i = 0; page != NULL && i < BLOCKS; i++) {
        struct wide_block *block = &file->blocks[i];
        if (block->bytes != NULL && given >= block->bytes && given < block->bytes + AHEAD_BYTES) {
            block->pins--;
        }
    }
    return SQLITE_OK;
}

/* ---------------------------------------------------------------- writing */

static int wide_write(sqlite3_file *base, const void *bytes, int amount, sqlite3_int64 offset)
{
    struct wide_file *file = wide_of(base);

    forget_blocks(file);
    if (file->gathered_length > 0 && (offset != file->gathered_offset + file->gathered_length ||
                                      amount > WIDE_BYTES - file->gathered_length)) {
        int flushed = wide_io_flush(file);
        if (flushed != SQLITE_OK) {
            return flushed;
        }
    }
    if (file->shared_memory || amount > WIDE_BYTES) {
        return file->real->pMethods->xWrite(file->real, bytes, amount, offset);
    }
    if (file->gathered == NULL) {
        file->gathered = memory_allocate(WIDE_BYTES);
    }
    if (file->gathered_length == 0) {
        file->gathered_offset = offset;
    }
    memcpy(file->gathered + file->gathered_length, bytes, (size_t)amount);
    file->gathered_length += amount;
    return SQLITE_OK;
}

static int wide_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct wide_file *file = wide_of(base);
    int flushed = wide_io_flush(file);
    forget_blocks(file);
    return flushed == SQLITE_OK ? file->real->pMethods->xTruncate(file->real, size) : flushed;
}

static int wide_sync(sqlite3_file *base, int flags)
{
    struct wide_file *file = wide_of(base);
    int flushed = wide_io_flush(file);
    return flushed == SQLITE_OK ? file->real->pMethods->xSync(file->real, flags) : flushed;
}

static int wide_size(sqlite3_file *base, sqlite3_int64 *size)
{
    struct wide_file *file = wide_of(base);
    int flushed = wide_io_flush(file);
    return flushed == SQLITE_OK ? file->real->pMethods->xFileSize(file->real, size) : flushed;
}

/* ---------------------------------------------------------------- locks and the rest */

static int wide_lock(sqlite3_file *base, int lock)
{
    struct wide_file *file = wide_of(base);
    int result = file->real->pMethods->xLock(file->real, lock);

    if (file->lock < SQLITE_LOCK_SHARED) {
        forget_blocks(file);
    }
    if (result == SQLITE_OK && lock > file->lock) {
        file->lock = lock;
    }
    return result;
}

static int wide_unlock(sqlite3_file *base, int lock)
{
    struct wide_file *file = wide_of(base);
    int flushed = wide_io_flush(file);
    int result = file->real->pMethods->xUnlock(file->real, lock);

    forget_blocks(file);
    file->lock = lock;
    return result == SQLITE_OK ? flushed : result;
}

static int wide_check_reserved(sqlite3_file *base, int *result)
{
    sqlite3_file *real = wide_of(base)->real;
    return real->pMethods->xCheckReservedLock(real, result);
}

static int identify(const struct wide_file *file, struct sqlite_file_identity *identity)
{
    struct stat facts;
    if (file->descriptor < 0 || fstat(file->descriptor, &facts) != 0) {
        return SQLITE_NOTFOUND;
    }
    *identity = (struct sqlite_file_identity){facts.st_dev, facts.st_ino};
    return SQLITE_OK;
}

/* Only where SQLite looks at the result: it takes most controls for hints (SIZE_HINT amid the
 * writing of pages), and a failed write would be forgotten there. */
static int wide_control(sqlite3_file *base, int operation, void *argument)
{
    struct wide_file *file = wide_of(base);
    if (operation == SQLITE_FCNTL_MMAP_SIZE) {
        return SQLITE_OK; /* how much the system's own file would map */
    }
    if (operation == GIVE_PAGES) {
        file->gives_pages = *(const bool *)argument;
        return SQLITE_OK;
    }
    if (operation == IDENTIFY) {
        return identify(file, argument);
    }
    int flushed = operation == SQLITE_FCNTL_SYNC ? wide_io_flush(file) : SQLITE_OK;
    return flushed == SQLITE_OK
               ? file->real->pMethods->xFileControl(file->real, operation, argument)
               : flushed;
}

static int wide_sector_size(sqlite3_file *base)
{
    sqlite3_file *real = wide_of(base)->real;
    return real->pMethods->xSectorSize(real);
}

static int wide_characteristics(sqlite3_file *base)
{
    sqlite3_file *real = wide_of(base)->real;
    return real->pMethods->xDeviceCharacteristics(real);
}

static int wide_shm_map(sqlite3_file *base, int page, int size, int extend, void volatile **memory)
{
    struct wide_file *file = wide_of(base);
    file->shared_memory = true;
    forget_blocks(file);
    return file->real->pMethods->xShmMap(file->real, page, size, extend, memory);
}

static int wide_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    sqlite3_file *real = wide_of(base)->real;
    return real->pMethods->xShmLock(real, offset, count, flags);
}

static void wide_shm_barrier(sqlite3_file *base)
{
    sqlite3_file *real = wide_of(base)->real;
    real->pMethods->xShmBarrier(real);
}

static int wide_shm_unmap(sqlite3_file *base, int remove)
{
    struct wide_file *file = wide_of(base);
    file->shared_memory = false;
    return file->real->pMethods->xShmUnmap(file->real, remove);
}

/* Version 3: with shared memory for WAL, and pages of its own. */
static const sqlite3_io_methods wide_methods = {
    .iVersion = 3,
    .xClose = wide_close,
    .xRead = wide_read,
    .xWrite = wide_write,
    .xTruncate = wide_truncate,
    .xSync = wide_sync,
    .xFileSize = wide_size,
    .xLock = wide_lock,
    .xUnlock = wide_unlock,
    .xCheckReservedLock = wide_check_reserved,
    .xFileControl = wide_control,
    .xSectorSize = wide_sector_size,
    .xDeviceCharacteristics = wide_characteristics,
    .xShmMap = wide_shm_map,
    .xShmLock = wide_shm_lock,
    .xShmBarrier = wide_shm_barrier,
    .xShmUnmap = wide_shm_unmap,
    .xFetch = wide_fetch,
    .xUnfetch = wide_unfetch,
};

/* ---------------------------------------------------------------- the VFS */

static _Thread_local int looked_at;

static int noting_fstat(int descriptor, struct stat *facts)
{
    looked_at = descriptor;
    return fstat(descriptor, facts);
}

static sqlite3_vfs *system_vfs(const sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

/* Everything but a main database gets the system's own file, in the same memory. */
static int wide_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                     int *out_flags)
{
    struct wide_file *file = wide_of(base);
    sqlite3_vfs *system = system_vfs(vfs);

    if ((flags & SQLITE_OPEN_MAIN_DB) == 0) {
        return system->xOpen(system, name, base, flags, out_flags);
    }
    *file = (struct wide_file){.real = (sqlite3_file *)(void *)(file + 1)};
    forget_blocks(file);
    file->real->pMethods = NULL;
    looked_at = -1;
    int result = system->xOpen(system, name, file->real, flags, out_flags);
    file->descriptor = looked_at;
    if (result == SQLITE_OK && file->real->pMethods->iVersion >= 2) {
        base->pMethods = &wide_methods;
    } else if (file->real->pMethods != NULL) {
        file->real->pMethods->xClose(file->real);
        result = result == SQLITE_OK ? SQLITE_CANTOPEN : result;
    }
    return result;
}

static int wide_full_path(sqlite3_vfs *vfs, const char *name, int capacity, char *path)
{
    return system_vfs(vfs)->xFullPathname(system_vfs(vfs), name, capacity, path);
}

static int wide_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    return system_vfs(vfs)->xDelete(system_vfs(vfs), name, sync_folder);
}

static int wide_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    return system_vfs(vfs)->xAccess(system_vfs(vfs), name, flags, result);
}

/* SQLite keeps its VFSes in a list of its own, by name: hence one static struct, made once. */
static sqlite3_vfs wide_vfs;
static pthread_once_t wide_once = PTHREAD_ONCE_INIT;

static void wide_register(void)
{
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);

    if (system == NULL) {
        return;
    }
    wide_vfs = *system;
    wide_vfs.pNext = NULL;
    wide_vfs.zName = SQLITE_WIDE_VFS;
    wide_vfs.pAppData = system;
    wide_vfs.szOsFile = (int)sizeof(struct wide_file) + system->szOsFile;
    wide_vfs.xOpen = wide_open;
    wide_vfs.xFullPathname = wide_full_path;
    wide_vfs.xDelete = wide_delete;
    wide_vfs.xAccess = wide_access;
    if (system->iVersion >= 3 && system->xSetSystemCall != NULL) {
        (void)system->xSetSystemCall(system, "fstat", (sqlite3_syscall_ptr)noting_fstat);
    }
    sqlite3_vfs_register(&wide_vfs, 0);
}

const char *sqlite_wide_vfs(void)
{
    pthread_once(&wide_once, wide_register);
    return sqlite3_vfs_find(SQLITE_WIDE_VFS) != NULL ? SQLITE_WIDE_VFS : NULL;
}

bool sqlite_identify_path(const char *path, struct sqlite_file_identity *identity)
{
    struct stat facts;
    if (stat(path, &facts) != 0) {
        return false;
    }
    *identity = (struct sqlite_file_identity){facts.st_dev, facts.st_ino};
    return true;
}

bool sqlite_identify(sqlite3 *connection, const char *schema, struct sqlite_file_identity *identity)
{
    const char *path = sqlite3_db_filename(connection, schema);
    return sqlite3_file_control(connection, schema, IDENTIFY, identity) == SQLITE_OK ||
           (path != NULL && sqlite_identify_path(path, identity));
}

void sqlite_give_pages(sqlite3 *connection, bool gives)
{
    (void)sqlite3_file_control(connection, "main", GIVE_PAGES, &gives);
}

bool sqlite_same_file(const struct sqlite_file_identity *left,
                      const struct sqlite_file_identity *right)
{
    return left->device == right->device && left->inode == right->inode;
}
