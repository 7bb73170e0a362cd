# A repository from init to clone, with children: pack-objects, unpack-objects, upload-pack, the pager off.
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='1000000000 +0000' GIT_COMMITTER_DATE='1000000000 +0000' HOME=$PWD
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@localhost GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@localhost GIT_PAGER=cat
git init -q -b main repository
cd repository || exit
git config pack.threads 1
git config core.pager cat
cp -r ../tree ../text.txt ../big.txt .
git add -A
git commit -q -m 'first'
git checkout -q -b side
sed -i '3d' text.txt
git commit -qam 'a line less'
git checkout -q main
echo more >>big.txt
git commit -qam 'a line more'
git merge -q --no-edit side
git log --graph --stat --format='%h %an %s'
git diff HEAD~1 | head -40
git blame -s text.txt | head -5
git gc -q
git fsck --full --no-progress
git count-objects -v | grep -v '^size'
cd ..
git clone -q --no-local repository copy
git -C copy log --format=%H
git -C copy grep -c host | head
git -C repository archive --format=tar HEAD | sha256sum
rm -rf repository copy
