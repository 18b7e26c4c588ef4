/* Lines for a repair. */
#include "verify/repair.h"

#include "model/json_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *create(const char *path)
{
    unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return file < 0 ? NULL : fdopen(file, "w");
}

static enum status cant_write(const char *path, struct error *error)
{
    return error_set_errno(error, ERROR_STATE_WRITE, errno, path,
                           "can't write what is to be repaired");
}

enum status repair_files_open(struct repair_files *files, struct verify *verify,
                              struct error *error)
{
    *files = (struct repair_files){.verify = verify};
    files->write_path = arena_format(verify->arena, "%s/repair.jsonl", verify->run->folder.path);
    files->delete_path = arena_format(verify->arena, "%s/delete.jsonl", verify->run->folder.path);
    if (files->write_path == NULL || files->delete_path == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for names of files");
    }
    files->writes = create(files->write_path);
    files->deletes = create(files->delete_path);
    return files->writes != NULL && files->deletes != NULL ? STATUS_OK
                                                           : cant_write(files->write_path, error);
}

void repair_files_close(struct repair_files *files)
{
    if (files->writes != NULL) {
        fclose(files->writes);
    }
    if (files->deletes != NULL) {
        fclose(files->deletes);
    }
    files->writes = files->deletes = NULL;
}

static enum status put_line(FILE *file, const char *path, struct buffer *line, struct error *error)
{
    enum status status = STATUS_OK;
    if (line->failed) {
        status = error_set(error, ERROR_MEMORY, NULL, "no memory for a line");
    } else if (fwrite(line->data, 1, line->length, file) != line->length) {
        status = cant_write(path, error);
    }
    buffer_free(line);
    return status;
}

enum status repair_write(struct repair_files *files, const struct spill_head *source, bool there,
                         struct error *error)
{
    const struct plan_entity *entity = files->verify->entities[source->entity].plan;
    const char *table = files->verify->tables[source->table].plan->target.name;
    struct buffer line = {0};
    (void)there;
    buffer_append_string(&line, "{\"format\":1,\"entity\":");
    json_append_string(&line, entity->name, strlen(entity->name));
    buffer_append_string(&line, ",\"table\":");
    json_append_string(&line, table, strlen(table));
    buffer_append_string(&line, ",\"source\":\"repair\",\"record\":");
    buffer_append(&line, spill_record(source), source->record_length);
    buffer_append_string(&line, "}\n");
    files->write_count++;
    return put_line(files->writes, files->write_path, &line, error);
}

enum status repair_delete(struct repair_files *files, const struct spill_head *target,
                          struct error *error)
{
    struct buffer line = {0};
    buffer_format(&line, "{\"table\":%u,\"key\":", target->table);
    buffer_append(&line, spill_key(target), target->key_length);
    buffer_append_string(&line, "}\n");
    files->delete_count++;
    return put_line(files->deletes, files->delete_path, &line, error);
}
