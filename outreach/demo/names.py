"""Words that the demonstration's clients are made of. Any likeness to a person is chance."""

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭"
    "陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
GIVEN = tuple(
    (
        "婉清 思源 子墨 雨桐 嘉怡 文博 静姝 浩然 梓涵 明轩 若曦 志远 雅琴 建国 秀英 海涛 丽华 晓东 玉兰 国强"
        " 淑芬 俊杰 慧敏 家豪 美玲 永康 春梅 振华 桂芳 天佑"
    ).split()
)
ENGLISH = tuple(
    (
        "Olivia Carter,Henry Walsh,Amelia Novak,Jack Donovan,Grace Whitfield,Samuel Okafor,Isla Brennan"
        ",Oscar Lindqvist,Ruby Marchetti,Leo Fairbanks,Nora Castellan,Hugo Pemberton,Ivy Rosenthal,Felix Adeyemi"
        ",Clara Montague,Theo Bergstrom,Maya Ellington,Arthur Quill,Stella Varga,Miles Ashdown"
    ).split(",")
)
HEADER = tuple(
    (
        "客户号 资金账号 客户姓名 性别 证件类型 证件号码 证件有效期 出生日期 农历生日 手机 邮箱 地址 邮编 客户级别"
        " 风险等级 测评日期 投资者类别 开户日期 账户状态 客户经理工号 营业部 渠道偏好 拒收标志 语言 两融合约到期 备注"
    ).split()
)
