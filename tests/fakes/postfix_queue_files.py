"""Four files that Debian's Postfix 3.7.11 wrote, as they stood in its queue (zlib, base64).

A_TWO_RECIPIENTS: one delivered, one deferred.  B_MAILDROP: from sendmail -t.  C_SMTPUTF8: 8-bit, ENVID,
RET and NOTIFY, a line of 5,000 octets.  D_MILTER: sender, recipients, headers and body edited by a milter,
so that it can only be read along its pointer records.
"""

import base64
import zlib


def _file(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


A_TWO_RECIPIENTS = _file(
    "eNqNU0tv2kAQ5tBDUQ9pFJGkUirNoUpBtGi9xsY4cYWVh9QDbhSoWqmqLMceYFvjResNIf++a4OIeaqzp5n59pv3lQ8F0ZtW"
    "UYWWZcKq0DWdwL7/yt9/q7Xahm7opm6C0abEco9DgYFEX7IxOi9etxLzoc8iTKSjkVtDozrR3KZbEfgkmMKHPJE4k07MwyDu"
    "HQYxC7GDs2A8ibHBxdB9lxGEMVMMfhIo8hw54ql0zwquIIoEpqmj0VaDqKfNIy+8Ey6kY1iUmO7HzDxW0GCIPhdsyJIXyl/L"
    "779dyIAjjPk87JypUUztJENMBJc85PEcddPr9u/cyvZ83wucokhxRzmnO0s53CzjNEWhyLaBF54cTJuEGu7Z3jKO9pWw4Pfl"
    "8wQd+uMgX4B8vqZF1Hw/RGmSt9EX4UQ6YhBalF7wv50I02WYbwdrhut1g1vfyhPhAEVd7ccq3fF2+/0Oe7fkte8xRDbFyIaB"
    "4GPYbANUl5OAwhrUvFb54RnGsyU2QQnVOwUbsFkNnpgcQd4yYBEUVvzCOy/3HpNPQCl4fAqUUBM03abEVkdTJ0qg+r1/VfPe"
    "9B4f/mAobZCad3Kr0rNh4w68oz63Ya1rXqs7X+TPX1Vhl1kITaNU06kaTaOQTGc1/y9e/Vodqw3/l2DJex2zBIEn6JUbEZeQ"
    "qcr8Kg5S+bN0U/oHM+BkSw=="
)

B_MAILDROP = _file(
    "eNqNj81Lw0AQxfegp1BpFdHjkrMUahqbFCNdQU+6oO0hnkKyO0lXtjtlO/367/0gF2kP3t7wfo95b9YbjNI4iofRcMDj9C6K"
    "R6ILbgMWl1AYnX3rVAQeqKht2ayyW3HpYesNQaHQEewos6hK+xwIaxTw8C3k+bRX/hwT2JWLpYU++kZ0wCnUxjVZUhl6ZTKY"
    "rqtPUDTmCy2TGY65hhr8RMOK+m3yhoc5/wj5PdIc/BHgQV4/KtVGoz+WZPKkQr2X3a2heUd5XjrNmVvbl1OHgFaynIkzh2Tq"
    "fbsueT8//HHAXP22+Qd4caTWE/sC1qF+rw=="
)

C_SMTPUTF8 = _file(
    "eNrtmE1r2zAYx8MupYz1ZW23HAYTFLaUrsaSkzh25hEtS6HQeqVJWWEM49iK4+JYQVbS9LbjPsgu/QI77ZYvNsXpknjN6I6D"
    "6neynzf9H+mRCak7YE5J01SwiIEqIAvKvmbj7+QDoLc2oW6UtFJRgwbQdWQYZfzMY8TlxOFhj1hzN96JaOCEPom59b5h1OtI"
    "U9UGxDuMXLFQxHs05mTErYh6boS3EjeJnB7hXepbF/Xjo4bdwpupcZAQFruieJu28SaJhySifSJKW+L5AOLHjHCnE7lBYqHm"
    "08vxDxbUyGj8vdePiEJZgJ+Q2KN+GAdWpR1yvDsR5kWhUOakdbs04crUoJCRO8nDLxaCXN9nJEksaCBFVZCi4+0Fb58ybhU1"
    "BDGcWHsi0g2IQ1kYhPGy2p9ndb7g/CSlKxqaKvGimYDnE0+fUU49Gk29jeZJ6xS/vE/6a0aGhCXk3h7zf+1v405veXEIouo8"
    "FukiVlWgOKSpJ41FRRWV8PbSjraWdbOT1eDw6z6x0Kf1dN7SaSpXdDFN6zHlYef69pxhEe/6SZxussO8PrcGvHNQqV7SZHxT"
    "G/1e8uOWTzqEwZpPklnbZ8uMeC1bHxey5VnHqyBUTTNRJvN2DbRsjazxJGdXz4hHwiHxTdBhtAfmuwMKS04ILIzKnl1dbV+D"
    "3qw5JSYcFE5FVicc7YGrkHfBeeuwkm4rCH2wcOuq9qvV5iB+AxACNh0CpKIygJqpQbNkgH1VAArnrfqevdYctC+Jx00w/gk4"
    "svOHQqcJ7t4qe6VFTTAyq7Z+Mh35gyPR1ttJaQgRgpoGS4ayIKKW1f7O3v8gvhsm+DdhueOvGyOJRCKRSCQPDvkTQCKRSCSS"
    "B4n9bUVugkTyH1zFR+Obi9wf/643cr8AYYfCfg=="
)

D_MILTER = _file(
    "eNqdVN9P2zAQRtNe2B4QQgUmMemeNhC0c5ykbcI6NWNU4gGDKNOQpqlKk2vrkcaZY9ry389pUEkKRdOSJ9/3+X59dz7pQeEz"
    "nXrxCE1aPmvG0pmU0eYyn1xvGg3HNm3Lsi0wad0hjrcdSPQV9hQfY+sR9iqRGPZ4iLFqWZ3OV0JNQk47XkXiVHLND0SscKZa"
    "kQj8KNkohDEs2/beZdeDiOv7vdjXrue8kUiVt1eA/DCUmKYtgzZqRP9GHvcBTYRULdMmhHgfM/NYU/0h9oTkQx4/uvy5uP7L"
    "g4w4wkjkYXNPNZz54yTCmpBDbydjJFIoEYgoZ512z68vvcrz+b6XOEGZ4opydleWsvm0jN0UpXb2HPkBmZOpRWjd23uxjK2X"
    "Snjw31P3Cbboj1yeubr1ZlOrexSm8byNPRkkqiUHQZPS4xAHKKu3iEk7xHQR7mJnBXC1CvAOX/AfYlR2v/28/dMK+9KwOfb5"
    "Wtlk1snTfsH+QjIozMsBa6z372E8W3BjVLB/qWkDPjuAKVcjmPcWeAiFTThmH9a7d/ERUApMTIBqxXRo17Rcw4JDLTaB/e/X"
    "Jwfl3KhlsteeC/3p+mIt2U5HirELfsQDbBdyZlvXwgVxWyqfNc7zNaiehS58zuIaBqWGaVqGVStk2C4X9YUdftOL7sJ/ZK3f"
    "CrbGNmKcQl+E9xDxGMEoc+y6Na/mpqxGZjpdY+3uXf83BsoFiUnkBxhCmltAjXwFPIU/d/pdAR/6XOkljocoMyiGPg6ELKsO"
    "juOwtzdVLwxRN2FiTF8BKadjNA22eVM9i/VeqYw04DJVzLnCAPlkbtBNh38flHICeou6Fd2PFOMQZVG0Mo8S82I3n2M/S7a8"
    "PyuRpWDUYm8WzadLE0XpX+m91Z4="
)
