# Pictures and sound made, encoded, decoded again and scaled; one thread and exact arithmetic, so that the bytes are the same everywhere.
exact='-threads 1 -flags +bitexact -fflags +bitexact'
quiet='-nostdin -hide_banner -loglevel error -filter_threads 1 -filter_complex_threads 1'
ffmpeg $quiet -f lavfi -i testsrc=size=160x120:rate=10 -f lavfi -i sine=frequency=440 -t 1 $exact -c:v mpeg4 -qscale:v 5 -c:a mp2 out.avi
sha256sum out.avi
ffmpeg $quiet -i out.avi $exact -sws_flags bitexact+accurate_rnd -vf scale=80:60 -an -f framemd5 - | grep -v '^#'
ffmpeg $quiet -i out.avi -vn $exact -c:a flac -f md5 -
ffprobe -hide_banner -loglevel error -show_entries stream=codec_name,width,height,sample_rate -of csv out.avi
rm -f out.avi
