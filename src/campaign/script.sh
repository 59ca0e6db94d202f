# A script that copies in parts. script.rs fills in the {placeholders} and writes a line for each object before the end.
#-- settings
#!/usr/bin/env bash
# Written by logseal for the list beside it.

bucket={bucket}
account={account}
method={method}
key_arn={key_arn}
bucket_key={bucket_key}
#-- functions

# Copies objects over themselves so that they get the encryption above: in parts where they are too large for one
# request. It can be run again: what is right already is left alone.
#
#   DRY_RUN=1      shows the commands that change something instead of running them
#   NONCURRENT=1   copies noncurrent versions, too. Each becomes the current version for a moment; then the version that
#                  was current is copied over it
#   PART_BYTES     the size of a part, if not 1 GiB
#
# Names, versions and what S3 says of objects are JSON strings from end to end. Requests reach the command line in a file
# (it reads some of them twice, so not by its standard input): no value can be taken for an option or for the name of a
# file, and no request is too long.

set -uo pipefail
# Here bytes are bytes.
export LC_ALL=C AWS_PAGER='' AWS_CLI_AUTO_PROMPT=off
: "${DRY_RUN:=0}" "${NONCURRENT:=0}" "${PART_BYTES:=1073741824}"

# What S3 takes in one copy and in one part, and in how many parts.
LARGEST=5368709120
MOST_PARTS=10000
# Objects up to this size are copied by one request. Tests set it.
: "${SINGLE_BYTES:=$LARGEST}"

copied=0 already=0 failed=0 skipped=0
# The request that aborts the upload under way.
upload=''
# Which noncurrent versions have been copied, and what is to be copied over them.
journal=${BASH_SOURCE[0]%.sh}.noncurrent

owner='' source_owner=''
if [ -n "$account" ]; then
  owner=",\"ExpectedBucketOwner\":\"$account\"" source_owner=",\"ExpectedSourceBucketOwner\":\"$account\""
fi
target="\"ServerSideEncryption\":\"$method\""
[ -z "$key_arn" ] || target="$target,\"SSEKMSKeyId\":\"$key_arn\""
[ "$method" != aws:kms ] || target="$target,\"BucketKeyEnabled\":$bucket_key"

# run OPERATION REQUEST [QUERY [FORMAT]]: the answer is in $answer.
run() {
  printf '%s' "$2" > "$work/request" || return 1
  answer=$(env LC_ALL=C.UTF-8 aws s3api "$1" --cli-input-json "file://$work/request" \
    --query "${3:-@}" --output "${4:-json}" --cli-read-timeout 900 < /dev/null)
}

# The same for what changes something.
change() {
  if [ "$DRY_RUN" = 1 ]; then
    printf 'aws s3api %s --cli-input-json %q\n' "$1" "$2"
    answer=$'{\n    "ETag": "ETAG",\n    "UploadId": "UPLOAD-ID"\n}'
  else
    run "$1" "$2" "${3:-@}"
  fi
}

# keep NAME...: those members of the answer as JSON, in $value, each behind a comma. The command line writes each member
# of an object on lines of its own.
keep() {
  local line name inside=0 wanted=" $* "
  value=''
  while IFS= read -r line; do
    if [ "$inside" = 1 ]; then
      value=$value$line
      case $line in '    }'* | '    ]'*) inside=0 value=${value%,} ;; esac
      continue
    fi
    case $line in '    "'*) name=${line#*\"} name=${name%%\"*} ;; *) continue ;; esac
    case $wanted in *" $name "*) ;; *) continue ;; esac
    value="$value,\"$name\":${line#*: }"
    case $line in *[[{]) inside=1 ;; *) value=${value%,} ;; esac
  done <<< "$answer"
}

# member NAME: what that member is, in $value; nothing if there is no such member.
member() {
  keep "$1"
  value=${value#",\"$1\":"}
}

# fail WHY: counts and says it. Bytes that no name of S3 has are not shown.
fail() {
  failed=$((failed + 1))
  printf 'failed: %s %s: %s\n' "${key//[^ -~]/?}" "${version//[^ -~]/?}" "$1" >&2
}

# begin KEY VERSION: what the next functions are about.
begin() {
  key=$1 version=$2
  place="\"Bucket\":$bucket,\"Key\":$key$owner"
}

# look [VERSION]: what the object is like, or that version of it.
look() {
  local of_version=''
  [ -z "${1-}" ] || of_version=",\"VersionId\":$1"
  run head-object "{$place$of_version}" || { why='it cannot be looked at' && return 1; }
  member ContentLength && size=$value
  member ETag && etag=$value
  member VersionId && id=$value
  case $size in '' | *[!0-9]*) why='the answer has no size' && return 1 ;; esac
  [ -n "$etag" ] || { why='the answer has no ETag' && return 1; }
  from_id=''
  [ -z "$id" ] || from_id=",\"VersionId\":$id"
}

# Whether what was looked at has the encryption already.
is_right() {
  member ServerSideEncryption
  [ "$value" = "\"$method\"" ] || return 1
  [ -n "$key_arn" ] || return 0
  member SSEKMSKeyId
  [ "$value" = "\"$key_arn\"" ] || return 1
  member BucketKeyEnabled
  [ "${value:-false}" = "$bucket_key" ]
}

# Whether what was looked at can be read, and copied with all that belongs to it.
is_readable() {
  local class restore
  member StorageClass && class=$value
  member Restore && restore=$value
  member ArchiveStatus
  if [ -n "$value" ]; then
    why='it is archived: restore it first' && return 1
  fi
  case $class in
    '"GLACIER"' | '"DEEP_ARCHIVE"')
      case $restore in
        *'ongoing-request=\"false\"'*) ;;
        *) why='it is archived: restore it first' && return 1 ;;
      esac
      ;;
  esac
  member MissingMeta
  case $value in '' | 0) ;; *) why='it has metadata that cannot be copied' && return 1 ;; esac
}

# copy IF_MATCH: copies what was looked at, if the current version still has that ETag. The new one is in $etag.
copy() {
  local unchanged=",\"IfMatch\":$1"
  is_readable || return 1
  from="\"CopySource\":{\"Bucket\":$bucket,\"Key\":$key$from_id},\"CopySourceIfMatch\":$etag$source_owner"
  if [ "$size" -gt "$SINGLE_BYTES" ] || [ "$size" -gt "$LARGEST" ]; then
    copy_parts
  else
    # Metadata and tags are copied where nothing is said of them.
    keep StorageClass WebsiteRedirectLocation
    change copy-object "{$place,$from,$target$value$unchanged}" CopyObjectResult || { why='the copy failed' && return 1; }
    member ETag && etag=$value
  fi
}

copy_parts() {
  local part=$PART_BYTES number=0 first=0 last parts=() kept expires all
  local smallest=$(((size + MOST_PARTS - 1) / MOST_PARTS))
  [ "$part" -ge "$smallest" ] || part=$smallest
  [ "$part" -le "$LARGEST" ] || part=$LARGEST
  [ $((part * MOST_PARTS)) -ge "$size" ] || { why='it has more bytes than S3 copies' && return 1; }
  member Expires && expires=$value
  member ExpiresString
  if [ -z "$expires" ] && [ -n "$value" ]; then
    why='its Expires is no date and cannot be kept' && return 1
  fi
  keep Metadata ContentType ContentEncoding ContentLanguage ContentDisposition CacheControl Expires StorageClass \
    WebsiteRedirectLocation
  kept=$value
  member TagCount
  tags "${value:-0}" || return 1

  change create-multipart-upload "{$place,$target$kept$tagging}" || { why='the upload was not begun' && return 1; }
  member UploadId
  [ -n "$value" ] || { why='the upload has no id' && return 1; }
  upload="$place,\"UploadId\":$value"
  while [ "$first" -lt "$size" ]; do
    number=$((number + 1)) last=$((first + part - 1))
    [ "$last" -lt "$size" ] || last=$((size - 1))
    change upload-part-copy "{$upload,$from,\"PartNumber\":$number,\"CopySourceRange\":\"bytes=$first-$last\"}" \
      CopyPartResult || { why="part $number failed" && abort && return 1; }
    # An upload with checksums wants those of its parts back.
    keep ETag ChecksumCRC32 ChecksumCRC32C ChecksumCRC64NVME ChecksumSHA1 ChecksumSHA256
    parts[number]="{\"PartNumber\":$number$value}"
    first=$((last + 1))
  done
  all=$(IFS=, && printf '%s' "${parts[*]}")
  change complete-multipart-upload "{$upload$unchanged,\"MultipartUpload\":{\"Parts\":[$all]}}" ||
    { why='the upload was not completed' && abort && return 1; }
  upload=''
  member ETag && etag=$value
}

# Parts that nobody aborts are paid for. It succeeds whatever happens: the failure that led here is the one to tell.
abort() {
  local answer
  change abort-multipart-upload "{$upload}" || echo 'the upload could not be aborted either' >&2
  upload=''
}

# tags COUNT: those of what was looked at, in the form that an upload takes.
tags() {
  local name value count=0 all=''
  tagging=''
  run get-object-tagging "{$place$from_id}" 'TagSet[].[Key,Value]' text ||
    { why='its tags cannot be read' && return 1; }
  why='its tags cannot be kept'
  if [ -z "$answer" ]; then
    [ "$1" = 0 ] && return
    return 1
  fi
  while IFS=$'\t' read -r name value; do
    encode "$name" && all="$all&$encoded"
    encode "$value" && all="$all=$encoded"
    count=$((count + 1))
  done <<< "$answer"
  # Without the right to read tags, S3 counts none.
  case $1 in 0 | "$count") ;; *) return 1 ;; esac
  tagging=",\"Tagging\":\"${all#&}\""
}

# encode TEXT: every byte as %XX but those that never need it, in $encoded.
encode() {
  local at byte number
  encoded=''
  for ((at = 0; at < ${#1}; at++)); do
    byte=${1:at:1}
    case $byte in
      [a-zA-Z0-9._-]) encoded=$encoded$byte ;;
      *)
        printf -v number '%d' "'$byte"
        printf -v byte '%%%02X' "$((number & 255))"
        encoded=$encoded$byte
        ;;
    esac
  done
}

# current KEY VERSION: copies an object if that is still its current version. Without a version, whatever is current.
current() {
  begin "$1" "$2"
  look || { fail "$why" && return; }
  if is_right; then
    already=$((already + 1)) && return
  fi
  if [ -n "$version" ] && [ "${id:-\"null\"}" != "$version" ]; then
    fail 'changed since the report: another version is current' && return
  fi
  if [ "$versioning" = '"Suspended"' ] && [ -n "$id" ] && [ "$id" != '"null"' ]; then
    fail 'versioning is suspended: the copy would take the place of a null version' && return
  fi
  copy "$etag" || { fail "$why" && return; }
  copied=$((copied + 1))
}

# noncurrent KEY VERSION: copies a noncurrent version, and then what is current over the copy.
noncurrent() {
  local now now_etag
  begin "$1" "$2"
  if [ "$NONCURRENT" != 1 ]; then
    skipped=$((skipped + 1)) && return
  fi
  if [ -e "$journal" ] && grep -qxF -- "done"$'\t'"$key"$'\t'"$version" "$journal"; then
    already=$((already + 1)) && return
  fi
  if [ "$versioning" != '"Enabled"' ]; then
    fail 'versioning is not enabled: the copy would take the place of a version' && return
  fi
  case $'\n'$uncovered in
    *$'\n'"$key"$'\n'*) fail 'an earlier copy of a version of it has not been covered yet' && return ;;
  esac
  look || { fail "$why; if it was deleted, a copy would bring it back" && return; }
  now=$id now_etag=$etag
  [ "$now" != "$version" ] || { fail 'changed since the report: it is the current version' && return; }
  look "$version" || { fail "$why" && return; }
  if is_right; then
    already=$((already + 1)) && return
  fi
  copy "$now_etag" || { fail "$why" && return; }
  note "back"$'\t'"$key"$'\t'"$version"$'\t'"$now"$'\t'"$etag"
  cover "$now" "$etag"
}

# cover VERSION IF_MATCH: copies the version that was current over the copy of a noncurrent one.
cover() {
  if look "$1" && copy "$2"; then
    note "done"$'\t'"$key"$'\t'"$version"
    copied=$((copied + 1))
  else
    uncovered="$uncovered$key"$'\n'
    fail "$why; UNLESS IT WAS WRITTEN SINCE, IT SHOWS OLD CONTENT until version $1 is copied over it"
  fi
}

note() {
  [ "$DRY_RUN" = 1 ] || printf '%s\n' "$1" >> "$journal"
}

# What a run that was interrupted has left to be covered.
cover_all() {
  local what name of_version now if_match
  uncovered=''
  [ -e "$journal" ] || return 0
  while IFS=$'\t' read -r what name of_version now if_match; do
    [ "$what" = back ] || continue
    grep -qxF -- "done"$'\t'"$name"$'\t'"$of_version" "$journal" && continue
    begin "$name" "$of_version"
    cover "$now" "$if_match"
  done <<< "$(cat -- "$journal")"
}

stop() {
  [ -z "$upload" ] || abort
  echo 'interrupted' >&2
  exit 130
}

finish() {
  echo "copied $copied, right already $already, failed $failed, noncurrent versions left out $skipped" >&2
  [ "$failed" = 0 ] || exit 1
  exit 0
}

work=$(mktemp -d "${TMPDIR:-/tmp}/logseal.XXXXXX") || exit 2
trap 'rm -rf -- "$work"' EXIT
trap stop INT TERM HUP
case $PART_BYTES in 0* | *[!0-9]*) echo "PART_BYTES must be a number: $PART_BYTES" >&2 && exit 2 ;; esac
run get-bucket-versioning "{\"Bucket\":$bucket$owner}" || exit 2
member Status && versioning=$value
cover_all

#-- end

finish
