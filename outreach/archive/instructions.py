"""VERIFY.txt: how a third party checks a bag with tools that are not ours. The file is also a bash script."""

VERIFY = r"""# 如何核验本导出包 · How to check this export
#
# 只用通用工具:bash、sha256sum、ssh-keygen、openssl。Common tools only: bash, sha256sum, ssh-keygen, openssl.
# 公钥指纹必须来自本包之外(监管备案、公司官网、当面核对),否则谁都可以另造一包并自行签名。
# The key's fingerprint must come from outside this bag (a filing, the firm's site, in person); otherwise anybody
# could make another bag and sign it. 在本包目录内执行 Run inside the bag's folder:
#
#     bash VERIFY.txt SHA256:the-fingerprint-you-were-given
#
# 若不信任随包文件,可逐条照抄下列命令。Who does not trust a script that came with the bag types these commands.

set -u -o pipefail
export LC_ALL=C
EXPECTED=${1:?give the fingerprint that you got from the firm by another way}
SIGNATURE=${2:-../$(basename "$PWD").tagmanifest.sig}
SCRATCH=$(mktemp -d) || exit 2
trap 'rm -rf "$SCRATCH"' EXIT
FAULTS=0
fault() { echo "FAULT  $*"; FAULTS=$((FAULTS + 1)); }
good() { echo "ok     $*"; }

# 1 指纹 The key is the firm's, in both its forms.
FOUND=$(ssh-keygen -l -f keys/outreach.pub | cut -d ' ' -f 2)
if [ "$FOUND" = "$EXPECTED" ]; then good "fingerprint $FOUND"; else fault "fingerprint is $FOUND, not $EXPECTED"; fi
if [ "$(openssl pkey -pubin -in keys/outreach.pem -outform DER | tail -c 32 | od -An -v -tx1)" = \
     "$(cut -d ' ' -f 2 keys/outreach.pub | base64 -d | tail -c 32 | od -An -v -tx1)" ]
then good "one key in both forms"; else fault "keys/outreach.pem is another key"; fi

# 2 签名 It signed the tag manifest.
printf 'outreach namespaces="outreach-export" %s\n' "$(cat keys/outreach.pub)" > "$SCRATCH/allowed_signers"
if ssh-keygen -Y verify -f "$SCRATCH/allowed_signers" -I outreach -n outreach-export -s "$SIGNATURE" \
     < tagmanifest-sha256.txt > /dev/null
then good "signature over tagmanifest-sha256.txt"; else fault "the signature does not hold"; fi

# 3 文件 Every file is as it was signed, and there is no other.
if sha256sum --check --quiet --strict tagmanifest-sha256.txt
then good "tag files"; else fault "a tag file was altered"; fi
if sha256sum --check --quiet --strict manifest-sha256.txt
then good "files"; else fault "a file was altered"; fi
find data -type f | sort > "$SCRATCH/there"
cut -c 67- manifest-sha256.txt | sort > "$SCRATCH/listed"
if diff "$SCRATCH/there" "$SCRATCH/listed"
then good "no file missing or added"; else fault "files missing or added"; fi

# 4 检查点 The firm signed the tree's size and root (the text before the blank line, Ed25519).
sed '/^$/,$d' data/ledger/checkpoint > "$SCRATCH/text"
sed -n '/^$/,$p' data/ledger/checkpoint | tail -n 1 | cut -d ' ' -f 3 | base64 -d | tail -c +5 > "$SCRATCH/signature"
if openssl pkeyutl -verify -pubin -inkey keys/outreach.pem -rawin -in "$SCRATCH/text" \
     -sigfile "$SCRATCH/signature" > /dev/null
then good "checkpoint's signature"; else fault "the checkpoint's signature does not hold"; fi
SIZE=$(sed -n 2p data/ledger/checkpoint)
ROOT=$(sed -n 3p data/ledger/checkpoint | base64 -d | od -An -v -tx1 | tr -d ' \n')

# 5 台账 Every record is in that tree: RFC 9162, section 2.1.3.2.
unhex() { printf "$(sed 's/../\\x&/g')"; }
root_from() { # INDEX ENVELOPE PROOF
  local fn=$1 sn=$((SIZE - 1)) r p
  r=$({ printf '\x00'; cat "$2"; } | sha256sum | cut -c 1-64)
  while read -r p; do
    [ "$sn" -eq 0 ] && return 1
    if [ $((fn & 1)) -eq 1 ] || [ "$fn" -eq "$sn" ]; then
      r=$({ printf '\x01'; printf %s "$p$r" | unhex; } | sha256sum | cut -c 1-64)
      while [ $((fn & 1)) -eq 0 ] && [ "$fn" -ne 0 ]; do fn=$((fn >> 1)); sn=$((sn >> 1)); done
    else
      r=$({ printf '\x01'; printf %s "$r$p" | unhex; } | sha256sum | cut -c 1-64)
    fi
    fn=$((fn >> 1)); sn=$((sn >> 1))
  done < "$3"
  [ "$sn" -eq 0 ] && echo "$r"
}
BEFORE=$FAULTS; COUNT=0
for ENVELOPE in data/records/*/*.envelope.json; do
  STEM=${ENVELOPE%.envelope.json}; NUMBER=${STEM##*/}
  [ "$(root_from "$((10#$NUMBER))" "$ENVELOPE" "$STEM.proof")" = "$ROOT" ] || fault "$STEM is not in the tree"
  COUNT=$((COUNT + 1))
done
[ "$FAULTS" = "$BEFORE" ] && good "$COUNT records in the tree of $SIZE leaves"

# 6 原文 Every text is the one its record binds: SHA-256 of salt and bytes, or of the bytes alone.
field() { grep -o "\"$2\":\"[0-9a-f]*\"" "$1" | cut -d '"' -f 4; }
BEFORE=$FAULTS; COUNT=0
for SALT in data/records/*/*.salt; do
  [ -e "$SALT" ] || continue
  STEM=${SALT%.salt}; BODY=$STEM.payload.json
  [ -e "$STEM.reply.txt" ] && BODY=$STEM.reply.txt
  [ -e "$STEM.note.txt" ] && BODY=$STEM.note.txt
  HAVE=$(cat "$SALT" "$BODY" | sha256sum | cut -c 1-64)
  [ "$HAVE" = "$(field "$STEM.envelope.json" commitment)" ] || fault "$BODY is not what was recorded"
  COUNT=$((COUNT + 1))
done
for BODY in data/records/*/*.payload.json; do
  [ -e "$BODY" ] || continue
  STEM=${BODY%.payload.json}; WANT=$(field "$STEM.envelope.json" digest)
  [ -e "$STEM.salt" ] && [ ! -e "$STEM.note.txt" ] && [ -z "$WANT" ] && continue
  [ "$(sha256sum < "$BODY" | cut -c 1-64)" = "$WANT" ] || fault "$BODY is not what was recorded"
  COUNT=$((COUNT + 1))
done
for MAIL in data/records/*/*.eml; do
  [ -e "$MAIL" ] || continue
  [ "$(sha256sum < "$MAIL" | cut -c 1-64)" = "$(field "${MAIL%.eml}.envelope.json" wire_digest)" ] ||
    fault "$MAIL is not what was sent"
done
for FILE in data/attachments/*; do
  [ -e "$FILE" ] || continue
  NAME=${FILE##*/}
  [ "$(sha256sum < "$FILE" | cut -c 1-64)" = "${NAME%%.*}" ] || fault "$FILE is not the attachment it is named for"
done
[ "$FAULTS" = "$BEFORE" ] && good "$COUNT texts as recorded"

# 7 审批 Every decision bound exactly the messages of its manifest (message id, revision, SHA-256 of the payload).
BEFORE=$FAULTS; COUNT=0
for MANIFEST in data/decisions/*.txt; do
  [ -e "$MANIFEST" ] || continue
  DIGEST=$(sha256sum < "$MANIFEST" | cut -c 1-64)
  grep -rqs --include='*.envelope.json' "\"manifest_digest\":\"$DIGEST\"" data/records ||
    fault "$MANIFEST is not what was decided"
  COUNT=$((COUNT + 1))
done
[ "$FAULTS" = "$BEFORE" ] && good "$COUNT manifests of decisions"

if [ "$FAULTS" = 0 ]; then echo "核验通过 VERIFIED"; else echo "核验不通过 NOT VERIFIED: $FAULTS"; exit 1; fi
"""
