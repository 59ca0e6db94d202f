#!/bin/sh
# Asks AWS for the settings of trails, of the buckets they write to and of the keys they use, for `logseal settings`.
# Everything it does is a public read-only command of the AWS command line, version 1 or 2; nothing is changed in AWS.
#
# One answer is one file, OUT/ACCOUNT/REGION/SERVICE/COMMAND[/PARAMETER].json. Where AWS refuses, what the command line
# says is in .error.txt instead: a refusal is no answer, and "there is none" is one. What is there is not asked again:
# an export that was interrupted goes on where it ended.
#
# Values of answers are data: they are quoted, never evaluated, and none of them can be taken for an option, or for the
# name of a file or a page that the command line would read.

# Steps are called by their names; $ in a program of awk is awk's.
# shellcheck disable=SC2016,SC2329

usage() {
  cat << 'USAGE'
usage: sh logseal-settings-export.sh OUT [OPTION...]

  --role NAME              the role to assume in every other account of the organisation. Without it, only the account
                           of the caller is asked
  --external-id ID         the external id that this role wants
  --accounts 'ID ...'      only these accounts, instead of all those of the organisation
  --regions 'NAME ...'     only these Regions, instead of all that an account has enabled
  --policies 'TYPE ...'    the policies of the organisation to ask for, or none. If not given:
                           SERVICE_CONTROL_POLICY RESOURCE_CONTROL_POLICY
  --jobs N                 how many accounts are asked at once, if not 4
  --retry-refused          asks again what was refused for good
  --however-old            goes on with an export that is older than a day. Its answers count as old as its beginning
  --help                   shows this

Credentials are those of the AWS command line: of the management account of the organisation or a delegated
administrator, so that it can list the accounts. If it is interrupted, run the same command again.

ends with 0: everything was asked; 1: it could not run, or was stopped; 2: wrong arguments; 3: something was refused
USAGE
}

VERSION=1
TAB=$(printf '\t')
# Here bytes are bytes.
export LC_ALL=C AWS_PAGER='' AWS_CLI_AUTO_PROMPT=off AWS_CLI_ERROR_FORMAT=legacy
export AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=5
# Answers tell who may do what: they are for the one who asked.
umask 077
# Names are never patterns.
set -fu

say() {
  printf '%s\n' "$*" >&2
}

wrong() {
  say "$*"
  say 'try --help'
  exit 2
}

cannot() {
  say "$*"
  exit 1
}

now() {
  date -u +%Y-%m-%dT%H:%M:%SZ
}

# --- values

is_account() {
  case $1 in *[!0-9]*) return 1 ;; esac
  [ ${#1} -eq 12 ]
}

is_region() {
  case $1 in '' | -* | *[!a-z0-9-]*) return 1 ;; esac
}

# Whether the command line takes it as it stands: it reads what file:// and http:// name, and JSON may have escapes.
is_plain() {
  case $1 in '' | - | -* | *://* | *\\* | *[[:cntrl:]]*) return 1 ;; esac
}

# odd VALUE: says that nothing is asked about it. It counts as a refusal.
odd() {
  printf '%s\n' "$1" >> "$part/odd"
  say "not asked, no name that AWS gives: $(printf '%s' "$1" | tr -c '[:print:]' '?')"
}

# encode TEXT: every byte as %XX but those that never need it, in $encoded.
encode() {
  encoded=$1
  case $1 in
    *[!A-Za-z0-9._~-]*)
      encoded=$(printf '%s' "$1" | od -An -v -tx1 | awk '
        BEGIN {
          for (i = 33; i < 127; i++) {
            c = sprintf("%c", i)
            if (c ~ /[A-Za-z0-9._~-]/) plain[sprintf("%02x", i)] = c
          }
        }
        { for (i = 1; i <= NF; i++) printf "%s", ($i in plain) ? plain[$i] : "%" toupper($i) }')
      ;;
  esac
}

# rows NAMES FILE: a line for each object of the list in an answer: the account, and those of its members, between tabs.
# The command line writes each member on a line of its own, and its depth is in the spaces before it: text within a
# value cannot look like one. What is missing is "-".
rows() {
  awk -v names="$1" "$ROWS" "$2" /dev/null
}

# rows_below NAMES COMMAND: the same for every answer to that command.
rows_below() {
  find "$out" -path "*/$2.json" -exec awk -v names="$1" "$ROWS" {} +
}

ROWS='
  BEGIN { count = split(names, name, " ") }
  FNR == 1 { levels = split(FILENAME, level, "/"); account = level[levels - 3] }
  /^        [{]/ { split("", got) }
  /^            "/ {
    member = $0
    sub(/^ *"/, "", member)
    sub(/".*/, "", member)
    value = $0
    sub(/^[^:]*: /, "", value)
    sub(/,$/, "", value)
    if (value ~ /^".+"$/) got[member] = substr(value, 2, length(value) - 2)
  }
  /^        [}]/ {
    line = account
    for (i = 1; i <= count; i++) line = line "\t" ((name[i] in got) ? got[name[i]] : "-")
    print line
  }'

# text MEMBER FILE: the value of the first member of that name, wherever it is.
text() {
  sed -n "s/^ *\"$1\": \"\\(.*\\)\",\\{0,1\\}\$/\\1/p" "$2" | sed 1q
}

# --- questions

# run REGION SERVICE COMMAND [OPTION...]
run() {
  run_region=$1
  shift
  LC_ALL=C.UTF-8 aws "$@" --region "$run_region" < /dev/null
}

# What the command line says when AWS refuses, in $code; nothing if it never came to an answer.
code_of() {
  code=$(sed -n 's/.*An error occurred (\([^()]*\)) when calling.*/\1/p' "$1" | sed 1q)
}

# Whether that code says that there is no such setting: an answer.
is_absent() {
  case $1 in
    NoSuchBucketPolicy | NoSuchTagSet | NoSuchPublicAccessBlockConfiguration | AWSOrganizationsNotInUseException) ;;
    ServerSideEncryptionConfigurationNotFoundError | ObjectLockConfigurationNotFoundError) ;;
    OwnershipControlsNotFoundError | UnsupportedOperationException) ;;
    *) return 1 ;;
  esac
}

is_expired() {
  case $1 in ExpiredToken* | RequestExpired | TokenRefreshRequired) ;; *) return 1 ;; esac
}

# Whether what was refused is to be asked again: once a run, and not if the answer would be the same.
is_worth_asking() {
  if grep -qxF -e "$1" "$part/asked"; then return 1; fi
  [ "$retry" = 0 ] || return 0
  code_of "$1"
  case $code in
    *AccessDenied* | UnauthorizedOperation | NoSuch* | *NotFound* | *NotInUse* | Unsupported*) return 1 ;;
  esac
}

# Whether an answer is there to its end, in the form that the command line gives it.
is_whole() {
  case $(sed -n '1p;$p' "$1" | tr '\n' ' ') in '{ } ' | '{} {} ') ;; *) return 1 ;; esac
}

# ask REGION SERVICE COMMAND PARAMETER [OPTION...]: asks as $account, unless it was asked before. The file with the
# answer is $answer.
ask() {
  ask_region=$1 service=$2 command=$3 place=$out/$account/$1/$2/$3
  if [ -n "$4" ]; then
    encode "$4"
    place=$place/$encoded
  fi
  shift 4
  answer=$place.json refusal=$place.error.txt
  [ ! -e "$answer" ] || return 0
  if [ -e "$refusal" ] && ! is_worth_asking "$refusal"; then return 1; fi
  is_going_on && enter || return 1
  answer=$place.json refusal=$place.error.txt
  mkdir -p "${place%/*}" || give_up "cannot write below $out"
  count_call "$refusal"
  run "$ask_region" "$service" "$command" "$@" --output json > "$scratch.json" 2> "$scratch.error"
  status=$?
  # Interrupted: that is no answer.
  if [ "$status" -ge 128 ] && [ "$status" -lt 250 ]; then exit 130; fi
  if [ "$status" -eq 0 ]; then
    # No line at all is the answer "nothing is set".
    [ -s "$scratch.json" ] || echo '{}' > "$scratch.json"
    if is_whole "$scratch.json"; then
      rm -f "$refusal"
      mv "$scratch.json" "$answer" || give_up "cannot write below $out"
      return 0
    fi
    echo 'logseal: the answer is not JSON as the AWS command line prints it' > "$scratch.error"
  fi
  keep_refusal
}

# What was said instead of an answer goes to $refusal. It fails, as the question did.
keep_refusal() {
  [ -s "$scratch.error" ] || echo "logseal: aws ended with $status and said nothing" > "$scratch.error"
  mkdir -p "${refusal%/*}"
  mv "$scratch.error" "$refusal" || give_up "cannot write below $out"
  code_of "$refusal"
  if ! is_absent "$code"; then refused=$((refused + 1)); fi
  # An assumed role is another matter: there the next run gets a new session.
  if is_expired "$code" && [ "$entered" != yes ]; then
    give_up 'the credentials of the caller have expired: get new ones and run it again'
  fi
  return 1
}

count_call() {
  printf '%s\n' "$1" >> "$part/asked"
  calls=$((calls + 1))
}

# give_up WHY: ends this job, and with it all others.
give_up() {
  say "$*"
  : > "$part/stop"
  exit 1
}

# Whether nobody has given up, and the shell that began all this still runs.
is_going_on() {
  [ ! -e "$part/stop" ] && kill -0 "$$" 2> /dev/null
}

# arn_of_role: that of $account in $role_arn, and where its refusal would be in $refusal.
arn_of_role() {
  role_arn=arn:$partition:iam::$1:role/$role
  encode "$role_arn"
  refusal=$out/$own/$main/sts/assume-role/$encoded.error.txt
}

# Becomes $account before the first question that it is asked. The secrets are in variables of this subshell, from where
# only the command line gets them: they are never in a file, in an argument or in a message.
enter() {
  if [ "$account" = "$own" ] || [ "$entered" = yes ]; then return 0; fi
  [ "$entered" != no ] || return 1
  entered=no
  if [ -z "$role" ]; then
    odd "$account without --role"
    return 1
  fi
  arn_of_role "$account"
  if [ -e "$refusal" ] && ! is_worth_asking "$refusal"; then return 1; fi
  set -- --role-arn "$role_arn" --role-session-name logseal-settings
  [ -z "$external_id" ] || set -- "$@" --external-id "$external_id"
  count_call "$refusal"
  # A shell that shows what it does would show them.
  set +xv
  secrets=$(run "$main" sts assume-role "$@" --output text 2> "$scratch.error" \
    --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]')
  status=$?
  case $status:$secrets in
    0:?*"$TAB"?*"$TAB"?*) ;;
    *)
      keep_refusal
      return 1
      ;;
  esac
  # What would be taken instead of them, or for theirs.
  unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SECURITY_TOKEN AWS_CREDENTIAL_EXPIRATION AWS_ACCOUNT_ID
  AWS_ACCESS_KEY_ID=${secrets%%"$TAB"*}
  secrets=${secrets#*"$TAB"}
  AWS_SECRET_ACCESS_KEY=${secrets%%"$TAB"*}
  AWS_SESSION_TOKEN=${secrets#*"$TAB"}
  secrets=''
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
  rm -f "$refusal"
  entered=yes
}

# Whether an account can be asked, as far as is known.
is_within_reach() {
  is_account "$1" && grep -qxF -e "$1" "$part/accounts" || return 1
  [ "$1" != "$own" ] || return 0
  arn_of_role "$1"
  [ ! -e "$refusal" ]
}

# --- jobs

# spread STEP ACCOUNT...: does it as each of these accounts, some of them at once.
spread() {
  step=$1 at=0
  shift
  for account do
    at=$((at + 1))
    is_going_on || break
    (work "$#") &
    workers="$workers $!"
    if [ $((at % jobs)) -eq 0 ]; then
      wait
      workers=''
    fi
  done
  wait
  workers=''
  [ ! -e "$part/stop" ] || exit 1
}

work() {
  trap 'exit 130' TERM HUP
  begin
  "$step"
  if [ "$entered" = no ]; then
    say "[$at/$1] $account: its role cannot be assumed; what was said is in $out/$own/$main/sts/assume-role"
  else
    say "[$at/$1] $account: $step: $calls calls, $refused refused"
  fi
}

begin() {
  entered='' calls=0 refused=0 scratch=$part/$$.$account
}

# --- steps

# Which Regions $account has, in $enabled.
find_regions() {
  enabled=$regions
  [ -z "$enabled" ] || return 0
  if ask "$main" account list-regions ''; then
    names=$(rows 'RegionName RegionOptStatus' "$answer" |
      awk -F "$TAB" '$3 == "ENABLED" || $3 == "ENABLED_BY_DEFAULT" { print $2 }')
  elif ask "$main" ec2 describe-regions ''; then
    names=$(rows RegionName "$answer" | cut -f 2)
  else
    names=''
  fi
  for name in $names; do
    if is_region "$name"; then enabled="$enabled $name"; else odd "$name"; fi
  done
  [ -z "$enabled" ] || return 0
  enabled=${own_regions:-$main}
  [ "$entered" = no ] || say "$account: its Regions cannot be listed; asked in $enabled"
}

survey() {
  find_regions
  [ "$entered" != no ] || return 0
  ask "$main" s3api list-buckets ''
  for place_name in $enabled; do
    ask "$place_name" cloudtrail describe-trails '' --include-shadow-trails
    ask "$place_name" kms list-aliases ''
  done
}

guardrails() {
  ask "$main" organizations list-delegated-administrators ''
  [ "$policies" != none ] || return 0
  ask "$main" organizations list-roots ''
  for type in $policies; do
    ask "$main" organizations list-policies "$type" --filter "$type" || continue
    rows Id "$answer" | cut -f 2 | sort -u > "$scratch.ids"
    while IFS= read -r id; do
      is_plain "$id" || { odd "$id" && continue; }
      ask "$main" organizations describe-policy "$id" --policy-id "$id"
      ask "$main" organizations list-targets-for-policy "$id" --policy-id "$id"
    done < "$scratch.ids"
  done
  while IFS= read -r id; do
    climb "$id"
  done < "$part/accounts"
}

# climb ID: asks for what an account is in, and what that is in, up to the root.
climb() {
  child=$1
  # An organisation has five levels.
  for level in 1 2 3 4 5 6 7 8; do
    is_plain "$child" || { odd "$child" && return; }
    ask "$main" organizations list-parents "$child" --child-id "$child" || return
    child=$(rows 'Id Type' "$answer" | awk -F "$TAB" '$3 == "ORGANIZATIONAL_UNIT" { print $2; exit }')
    [ -n "$child" ] || return
  done
  say "level $level above $1 is no root"
}

# Asks whether a bucket that no list names is this account's.
locate() {
  while IFS= read -r bucket; do
    ask_of_bucket "$main" get-bucket-location
  done < "$part/lost"
}

# ask_of_bucket REGION COMMAND: S3 refuses if the bucket is not this account's.
ask_of_bucket() {
  ask "$1" s3api "$2" "$bucket" --bucket "$bucket" --expected-bucket-owner "$account"
}

follow() {
  while IFS=$TAB read -r asker home arn; do
    [ "$asker" = "$account" ] || continue
    ask "$home" cloudtrail get-trail-status "$arn" --name "$arn"
    ask "$home" cloudtrail get-event-selectors "$arn" --trail-name "$arn"
  done < "$part/trails"
  owns=0
  while IFS=$TAB read -r owner bucket; do
    [ "$owner" = "$account" ] || continue
    owns=1
    ask_about_bucket
  done < "$part/buckets"
  [ "$owns" = 0 ] || ask "$main" s3control get-public-access-block "$account" --account-id "$account"
}

ask_about_bucket() {
  where=$main
  if ask_of_bucket "$main" get-bucket-location; then
    location=$(text LocationConstraint "$answer")
    case $location in
      '') ;;
      EU) where=eu-west-1 ;;
      *) if is_region "$location"; then where=$location; else odd "$location"; fi ;;
    esac
  fi
  for command in get-bucket-encryption get-bucket-policy get-bucket-policy-status get-bucket-versioning \
    get-public-access-block get-bucket-acl get-bucket-ownership-controls get-bucket-logging get-bucket-request-payment \
    get-object-lock-configuration get-bucket-tagging; do
    ask_of_bucket "$where" "$command"
  done
}

keys() {
  owns=0
  while IFS=$TAB read -r owner where kind id; do
    [ "$owner" = "$account" ] || continue
    if [ "$kind" != other ]; then
      owns=1
      ask "$where" kms list-aliases ''
    fi
    if [ "$kind" = alias ]; then
      target=''
      [ ! -e "$answer" ] || target=$(rows 'AliasName TargetKeyId' "$answer" |
        awk -F "$TAB" -v alias="${id##*:}" '$2 == alias && $3 != "-" { print $3; exit }')
      if [ -n "$target" ]; then id=$target; else kind=other; fi
    fi
    is_plain "$id" || { odd "$id" && continue; }
    ask "$where" kms describe-key "$id" --key-id "$id"
    [ "$kind" != other ] || continue
    ask "$where" kms get-key-policy "$id" --key-id "$id" --policy-name default
    for command in get-key-rotation-status list-grants list-resource-tags; do
      ask "$where" kms "$command" "$id" --key-id "$id"
    done
  done < "$part/keys"
  [ "$owns" = 0 ] || ask "$main" iam get-account-authorization-details ''
}

# --- what is to be asked next, read from the answers so far

# trails: who is asked for each trail, its home Region and its ARN. named-buckets, named-keys: what trails name.
list_trails() {
  : > "$part/trails" && : > "$part/named-buckets" && : > "$part/named-keys"
  # A trail is in many answers. The same one each time keeps an export that goes on as it was.
  rows_below 'TrailARN HomeRegion S3BucketName KmsKeyId' cloudtrail/describe-trails | sort -u |
    awk -F "$TAB" '{ seen = $1; $1 = ""; if (!got[$0]++) print seen $0 }' OFS="$TAB" > "$part/seen" ||
    cannot "cannot write to $part"
  while IFS=$TAB read -r seen arn home bucket key; do
    owner=${arn#arn:*:cloudtrail:*:}
    owner=${owner%%:*}
    if ! is_plain "$arn" || ! is_region "$home"; then
      odd "$arn in $home"
      continue
    fi
    asker=$seen
    if is_within_reach "$owner"; then asker=$owner; fi
    printf '%s\t%s\t%s\n' "$asker" "$home" "$arn" >> "$part/trails"
    if is_plain "$bucket"; then printf '%s\t%s\n' "$asker" "$bucket" >> "$part/named-buckets"; else odd "$bucket"; fi
    [ "$key" = - ] || printf '%s\t%s\t%s\n' "$asker" "$home" "$key" >> "$part/named-keys"
  done < "$part/seen"
  sort -u "$part/trails" | awk -F "$TAB" '!got[$3]++' > "$part/each" || cannot "cannot write to $part"
  mv "$part/each" "$part/trails"
}

# buckets: the owner of each bucket that a trail names. lost: those that no list of buckets has.
list_buckets() {
  cut -f 2 "$part/named-buckets" | sort -u > "$part/wanted" || cannot "cannot write to $part"
  rows_below Name s3api/list-buckets |
    awk -F "$TAB" 'NR == FNR { wanted[$1] = 1; next } $2 in wanted { print $1 "\t" $2 }' "$part/wanted" - |
    sort -u > "$part/buckets" || cannot "cannot write to $part"
  cut -f 2 "$part/buckets" | cat - "$part/wanted" | sort | uniq -u > "$part/lost" || cannot "cannot write to $part"
}

# Asks the accounts that would not list their buckets, and those whose trails name these.
find_lost_buckets() {
  [ -s "$part/lost" ] || return 0
  : > "$part/candidates"
  while IFS= read -r id; do
    [ -e "$out/$id/$main/s3api/list-buckets.json" ] || ! is_within_reach "$id" || printf '%s\n' "$id"
  done < "$part/accounts" >> "$part/candidates"
  awk -F "$TAB" 'NR == FNR { lost[$1] = 1; next } $2 in lost { print $1 }' "$part/lost" - \
    < "$part/named-buckets" >> "$part/candidates"
  # shellcheck disable=SC2046 # These are numbers.
  spread locate $(sort -u "$part/candidates")
  while IFS= read -r bucket; do
    encode "$bucket"
    found=$(while IFS= read -r id; do
      [ ! -e "$out/$id/$main/s3api/get-bucket-location/$encoded.json" ] || printf '%s\n' "$id"
    done < "$part/accounts" | sed 1q)
    if [ -n "$found" ]; then
      printf '%s\t%s\n' "$found" "$bucket" >> "$part/buckets"
    else
      say "bucket $bucket: its owner was not found"
    fi
  done < "$part/lost"
}

# keys: who is asked where for what. "other" is a key that only describe-key can be asked for.
list_keys() {
  : > "$part/keys.all"
  find "$out" -path '*/s3api/get-bucket-encryption/*.json' -exec awk '
    FNR == 1 { levels = split(FILENAME, level, "/") }
    /^ *"KMSMasterKeyID": ".+",?$/ {
      sub(/^[^:]*: "/, "")
      sub(/",?$/, "")
      print level[levels - 4] "\t" level[levels - 3] "\t" $0
    }' {} + | cat "$part/named-keys" - | sort -u > "$part/each" || cannot "cannot write to $part"
  while IFS=$TAB read -r asker where name; do
    owner=$asker id=${name##*:}
    case $name in
      arn:*:kms:*:*:*)
        where=${name#arn:*:kms:} && where=${where%%:*}
        owner=${name#arn:*:kms:*:} && owner=${owner%%:*}
        ;;
    esac
    case $id in
      alias/?*) kind=alias id=$name ;;
      key/?*) kind=key id=${id#key/} ;;
      *) kind=key ;;
    esac
    if ! is_plain "$name" || ! is_plain "$id" || ! is_region "$where"; then
      odd "$name"
      continue
    fi
    if ! is_within_reach "$owner"; then owner=$asker kind=other id=$name; fi
    printf '%s\t%s\t%s\t%s\n' "$owner" "$where" "$kind" "$id" >> "$part/keys.all"
  done < "$part/each"
  sort -u "$part/keys.all" > "$part/keys" || cannot "cannot write to $part"
}

# --- an export

# begin_export: a new one, or one to go on with.
begin_export() {
  started=''
  if [ -e "$out/export.json" ]; then
    started=$(sed -n 's/.*"started": *"\([^"]*\)".*/\1/p' "$out/export.json" | sed 1q)
    age=$(age_of "$started")
    [ -n "$age" ] || wrong "$out/export.json does not say when the export was begun"
    [ "$age" -lt 86400 ] || [ "$old" = 1 ] ||
      wrong "the export in $out was begun more than a day ago, at $started: begin another, or see --however-old"
  elif [ -d "$out" ] && [ -n "$(find "$out" -type f | sed 1q)" ]; then
    wrong "$out is no export and not empty"
  fi
  mkdir -p "$out" || cannot "cannot write to $out"
  if ! mkdir "$part" 2> /dev/null; then
    runs=$(cat "$part/process" 2> /dev/null)
    if [ -n "$runs" ] && kill -0 "$runs" 2> /dev/null; then
      cannot "process $runs is writing to $out; if that is another program, remove $part"
    fi
    rm -rf "$part"
    mkdir "$part" || cannot "cannot write to $out"
  fi
  # Not when it ends because of them: this is about the folder of another run.
  trap 'rm -rf "$part"' EXIT
  echo "$$" > "$part/process" || cannot "cannot write to $out"
  # Where its history is switched on, the command line would keep secrets there. This is no file, so it keeps none.
  mkdir "$part/history" && export AWS_CLI_HISTORY_FILE="$part/history"
  : > "$part/asked"
  : > "$part/odd"
  [ -n "$started" ] || started=$(now)
  write_export "\"started\": \"$started\", \"script\": \"$VERSION\""
}

write_export() {
  printf '{%s}\n' "$1" > "$part/export"
  mv "$part/export" "$out/export.json" || cannot "cannot write to $out"
}

# age_of TIME: how many seconds it is ago; nothing if it is no time.
age_of() {
  printf '%s\n%s\n' "$1" "$(now)" | awk -F '[-T:Z]' '
    !/^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z$/ { exit }
    {
      # March begins the year.
      year = $1 - ($2 < 3)
      month = ($2 + 9) % 12
      day = 365 * year + int(year / 4) - int(year / 100) + int(year / 400) + int((153 * month + 2) / 5) + $3
      time[NR] = day * 86400 + $4 * 3600 + $5 * 60 + $6
    }
    END { if (2 in time) print time[2] - time[1] }'
}

# Who the caller is, and where global services are asked.
find_caller() {
  # What this says is the identity that all other answers rest on: it is asked each time.
  run us-east-1 sts get-caller-identity --output json > "$part/caller" 2> "$part/error"
  status=$?
  if [ "$status" -ne 0 ]; then
    # The Region of other partitions is that of the caller.
    LC_ALL=C.UTF-8 aws sts get-caller-identity --output json < /dev/null > "$part/caller" 2> "$part/error.2"
    status=$?
  fi
  if [ "$status" -ne 0 ]; then
    cat "$part/error" >&2
    cannot 'aws does not say who the caller is'
  fi
  own=$(text Account "$part/caller")
  partition=$(text Arn "$part/caller")
  partition=${partition#arn:} && partition=${partition%%:*}
  is_account "$own" || cannot 'aws does not say who the caller is'
  case $partition in
    aws) main=us-east-1 ;;
    aws-us-gov) main=us-gov-west-1 ;;
    aws-cn) main=cn-northwest-1 ;;
    *) cannot "partition $partition is not known" ;;
  esac
  place=$out/$own/$main/sts/get-caller-identity.json
  mkdir -p "${place%/*}"
  [ -e "$place" ] || mv "$part/caller" "$place"
}

# accounts: whom to ask.
find_accounts() {
  is_organized=1
  if ! ask "$main" organizations describe-organization ''; then
    code_of "$refusal"
    [ "$code" != AWSOrganizationsNotInUseException ] || is_organized=0
  fi
  listed=$own
  if [ "$is_organized" = 1 ]; then
    if ask "$main" organizations list-accounts ''; then
      listed=$(rows 'Id Status' "$answer" | awk -F "$TAB" '$3 != "SUSPENDED" { print $2 }')
      [ -n "$listed" ] || cannot "no account is listed in $answer"
    else
      say "the accounts of the organisation cannot be listed: see $refusal"
    fi
  else
    say "$own belongs to no organisation"
  fi
  for id in ${accounts:-$listed}; do
    if is_account "$id"; then printf '%s\n' "$id"; else odd "$id"; fi
  done | sort -u > "$part/accounts" || cannot "cannot write to $part"
  if [ -z "$role" ] && grep -qvxF -e "$own" "$part/accounts"; then
    [ -z "$accounts" ] || wrong 'other accounts need --role'
    say "without --role, only $own is asked, of $(count < "$part/accounts") accounts"
    printf '%s\n' "$own" > "$part/accounts"
  fi
  [ -s "$part/accounts" ] || cannot 'there is no account to ask'
}

# count: how many lines there are.
count() {
  wc -l | tr -d ' '
}

# The names of all files with answers.
list_answers() {
  find "$out" -path "$part" -prune -o -name '*.json' ! -name export.json -print
}

announce() {
  number=$(count < "$part/accounts")
  # shellcheck disable=SC2086 # These are words.
  each=$(printf '%s\n' $own_regions | count)
  # Its role, Regions, buckets and parents; then what comes of trails.
  all=$((number * (2 * each + 4) + 40))
  there=$(list_answers | count)
  left=$((all > there ? all - there : 0))
  say "$number accounts x $each Regions: about $all calls; $there answers are there already"
  say "at a second each, $jobs at once, about $((left / 60 / (jobs < number ? jobs : number) + 1)) minutes"
}

# refusals: how many times which code was the answer to which command.
count_refusals() {
  find "$out" -path "$part" -prune -o -name '*.error.txt' -exec awk '
    function tell() { if (command != "") print (code == "" ? "no-answer" : code) "\t" command }
    FNR == 1 {
      tell()
      code = ""
      command = FILENAME
      sub(/^.*\/[0-9]+\/[a-z0-9-]+\//, "", command)
      sub(/\.error\.txt$/, "", command)
      split(command, word, "/")
      command = word[1] " " word[2]
    }
    code == "" && match($0, /An error occurred \([^()]*\) when calling/) {
      code = substr($0, RSTART + 19, RLENGTH - 19)
      sub(/\).*/, "", code)
    }
    END { tell() }' {} + | sort | uniq -c > "$part/codes"
}

finish() {
  count_refusals
  absent=0 failed=0
  while read -r count code command; do
    if is_absent "$code"; then
      absent=$((absent + count))
    else
      failed=$((failed + count))
      say "refused: $count x $command: $code"
    fi
  done < "$part/codes"
  strange=$(sort -u "$part/odd" | count)
  [ -s "$part/seen" ] || say 'no trail was seen'
  write_export "\"started\": \"$started\", \"finished\": \"$(now)\", \"script\": \"$VERSION\""
  say "$(count < "$part/asked") calls; in $out: $(list_answers | count) answers, $absent times nothing is set," \
    "$failed refused, $strange not asked"
  say "go on with: logseal settings $out --out RESULT"
  [ $((failed + strange)) -eq 0 ] || exit 3
  exit 0
}

interrupted() {
  : > "$part/stop"
  # shellcheck disable=SC2086 # These are numbers.
  [ -z "$workers" ] || kill $workers 2> /dev/null
  wait
  say 'interrupted: run the same command again to go on'
  exit 1
}

# --- arguments

out='' role='' external_id='' accounts='' regions='' policies='SERVICE_CONTROL_POLICY RESOURCE_CONTROL_POLICY'
jobs=4 retry=0 old=0 workers=''
while [ $# -gt 0 ]; do
  case $1 in
    --role | --external-id | --accounts | --regions | --policies | --jobs)
      [ -n "${2-}" ] || wrong "$1 needs a value"
      case $1 in
        --role) role=$2 ;;
        --external-id) external_id=$2 ;;
        --accounts) accounts=$2 ;;
        --regions) regions=$2 ;;
        --policies) policies=$2 ;;
        --jobs) jobs=$2 ;;
      esac
      shift
      ;;
    --retry-refused) retry=1 ;;
    --however-old) old=1 ;;
    -h | --help) usage && exit 0 ;;
    -*) wrong "no such option: $1" ;;
    *)
      [ -z "$out" ] || wrong "one folder only: $1"
      [ -n "$1" ] || wrong 'the folder has no name'
      out=$1
      ;;
  esac
  shift
done
[ -n "$out" ] || wrong 'a folder for the answers is needed'
case $role in -* | *[!A-Za-z0-9+=,.@_/-]*) wrong "no name of a role: $role" ;; esac
case $external_id in -* | *[!A-Za-z0-9+=,.@:/_-]*) wrong 'no external id' ;; esac
case $jobs in 0* | *[!0-9]* | ???*) wrong "--jobs needs a number up to 99: $jobs" ;; esac
for word in $accounts; do is_account "$word" || wrong "no account id: $word"; done
for word in $regions; do is_region "$word" || wrong "no Region: $word"; done
for word in $policies; do
  case $policies:$word in none:none) ;; *:*[!A-Z_]*) wrong "no type of policy: $word" ;; esac
done
# With a folder before it, no name is an option of another program.
case $out in /*) ;; *) out=./$out ;; esac
out=${out%/}
part=$out/.part

command -v aws > /dev/null || cannot 'the AWS command line is not there: aws'
for tool in awk cat cut date find grep mkdir mv od rm sed sort tr uniq wc; do
  command -v "$tool" > /dev/null || cannot "$tool is not there"
done
trap interrupted INT TERM HUP
begin_export
find_caller
account=$own
begin
find_accounts
own_regions=''
find_regions
own_regions=$enabled
announce
step=guardrails
[ "$is_organized" = 0 ] || spread guardrails "$own"
# shellcheck disable=SC2046 # These are numbers.
spread survey $(cat "$part/accounts")
list_trails
list_buckets
find_lost_buckets
# shellcheck disable=SC2046 # These are numbers.
spread follow $(cut -f 1 "$part/trails" "$part/buckets" | sort -u)
list_keys
# shellcheck disable=SC2046 # These are numbers.
spread keys $(cut -f 1 "$part/keys" | sort -u)
finish
